//! A plan that creates an extension and then uses its type, as misago's does: the driver cannot write such a value
//! before the extension is there, which is not the migration's fault.

use super::apply::made;
use crate::support::{self, Project};

const OPERATIONS: &str = "HStoreExtension(), migrations.CreateModel('Member', [\
    ('id', models.BigAutoField(primary_key=True))]), \
    migrations.AddField('member', 'facts', HStoreField(default=dict))";
const MODELS: &str = "from django.contrib.postgres.fields import HStoreField\nfrom django.db import models\n\n\n\
    class Member(models.Model):\n    id = models.BigAutoField(primary_key=True)\n    facts = HStoreField(default=dict)\n";

#[test]
fn a_value_of_a_pending_extension_is_missing_and_the_run_goes_on() {
    for name in ["django52", "django42-psycopg2"] {
        let database = made(support::shared(15).database());
        let migration = format!(
            "from django.contrib.postgres.fields import HStoreField\n\
             from django.contrib.postgres.operations import HStoreExtension\n\
             from django.db import migrations, models\n\n\n\
             class Migration(migrations.Migration):\n    operations = [{OPERATIONS}]\n"
        );
        let project = Project::new(&support::venv(name), &database)
            .installed_app("django.contrib.postgres")
            .app("crew", |app| {
                app.models(MODELS).migration("0001_initial", &migration)
            })
            .write();
        let project = made(project);

        let preview = support::cli(&project).args(["preview", "crew", "--format", "json"]);
        let document = preview.run().expect(0).json();
        let found = &document["migrations"][0];
        assert_eq!(found["complete"], false, "{name}: {found:#}");
        let missing = found["missing"].to_string();
        assert!(missing.contains("hstore"), "{name}: {missing}");
        assert_eq!(document["verdict"], "ask", "{name}");

        let run = ["run", "--apply", "--yes", "--skip-tests"];
        support::cli(&project).args(run).run().expect(0);
        let kind = "SELECT atttypid::regtype FROM pg_attribute \
                    WHERE attrelid = 'crew_member'::regclass AND attname = 'facts'";
        assert_eq!(made(database.scalar(kind)), "hstore", "{name}");
    }
}
