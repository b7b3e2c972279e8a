//! One app: shown, run, verified; and what is left when there is nothing to take back.

use super::common::{applied_run, confirmed, names, schema, shown};
use crate::support;
use crate::workflow::common::{Told, blog_on, models};

const LIKES: &str = "migrations.AddField('Post', 'likes', models.IntegerField(null=True))";
const INDEX: &str = "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))";

#[test]
fn what_a_run_applied_is_shown_and_then_taken_back() {
    for (major, django) in support::MATRIX {
        let blog = blog_on(support::shared(major), django, |app| {
            app.models(&models("likes = models.IntegerField(null=True)"))
                .operations("0002_likes", LIKES)
                .operations("0003_index", INDEX)
        });
        let before = schema(&blog.database);
        let run = applied_run(&blog.project);
        blog.execute("UPDATE blog_post SET likes = 3 WHERE id <= 7");
        let document = shown(&blog.project, &run);
        assert_eq!(names(&document), ["blog.0003_index", "blog.0002_likes"]);
        assert_eq!(document["of"], run.as_str());
        assert_eq!(document["verdict"], "ask", "{document:#}");
        let likes = &document["migrations"][1];
        assert_eq!(
            likes["destroys"][0], "column likes of public.blog_post and its values (7 rows)",
            "{likes:#}"
        );
        assert_eq!(
            likes["statements"][0]["locks"][0]["mode"],
            "AccessExclusiveLock"
        );
        assert_eq!(
            document["migrations"][0]["statements"][0]["kind"],
            "drop_index"
        );
        assert_ne!(schema(&blog.database), before, "showing changes nothing");

        let told = Told::by(confirmed(&blog.project, &run).run(), 0);
        assert_eq!(told.finished["changed"], "yes");
        assert_eq!(
            told.migrations("migration_unapplied"),
            ["blog.0003_index", "blog.0002_likes"]
        );
        assert_eq!(schema(&blog.database), before);
        assert_eq!(told.lines[0]["rolls_back"], run.as_str());
        let report = told.report(&blog.project);
        assert!(report.starts_with("## Rollback Complete"), "{report}");
    }
}
