//! Several apps that are built on one another: they go back in the order that the graph demands, and nothing beside them.

use super::common::{applied_run, confirmed, names, schema, shown};
use crate::support::{self, Database, Project};
use crate::workflow::common::Told;

const AUTHORS: &str = "from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = []
    operations = [migrations.CreateModel('Author', [('id', models.BigAutoField(primary_key=True)), ('name', models.CharField(max_length=40))])]
";
const BOOKS: &str = "from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):
    dependencies = [('authors', '0002_born')]
    operations = [migrations.CreateModel('Book', [
        ('id', models.BigAutoField(primary_key=True)),
        ('author', models.ForeignKey('authors.Author', django.db.models.deletion.CASCADE)),
    ])]
";
const FAVOURITE: &str = "from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):
    dependencies = [('authors', '0002_born'), ('books', '0001_initial')]
    operations = [migrations.AddField('Author', 'favourite', models.ForeignKey('books.Book', django.db.models.deletion.SET_NULL, null=True, related_name='+'))]
";
const BORN: &str = "migrations.AddField('Author', 'born', models.IntegerField(null=True))";

fn library(version: &str, major: u32) -> (Project, Database) {
    let database = support::shared(major).database().expect("a database");
    let project = Project::new(&support::django(version), &database)
        .app("authors", |app| {
            app.models(
                "class Author(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=40)
    born = models.IntegerField(null=True)
    favourite = models.ForeignKey('books.Book', models.SET_NULL, null=True, related_name='+')
",
            )
            .migration("0001_initial", AUTHORS)
            .operations("0002_born", BORN)
            .migration("0003_favourite", FAVOURITE)
        })
        .app("books", |app| {
            app.models(
                "class Book(models.Model):
    id = models.BigAutoField(primary_key=True)
    author = models.ForeignKey('authors.Author', models.CASCADE)
",
            )
            .migration("0001_initial", BOOKS)
        })
        .app("zoo", |app| {
            app.models("class Animal(models.Model):\n    id = models.BigAutoField(primary_key=True)\n")
                .operations("0001_initial", "migrations.CreateModel('Animal', [('id', models.BigAutoField(primary_key=True))])")
        })
        .settings("INSTALLED_APPS = ['authors', 'books', 'zoo']\nDEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'")
        .write()
        .expect("a project");
    project
        .manage(&["migrate", "authors", "0001"])
        .expect("migrated");
    project.manage(&["migrate", "zoo"]).expect("migrated");
    (project, database)
}

#[test]
fn apps_go_back_in_the_order_of_the_graph() {
    for (major, django) in support::MATRIX {
        let (project, database) = library(django, major);
        let before = schema(&database);
        let run = applied_run(&project);
        database
            .execute("INSERT INTO authors_author (name) VALUES ('Borges'); INSERT INTO books_book (author_id) VALUES (1), (1)")
            .expect("rows");
        let document = shown(&project, &run);
        let order = [
            "authors.0003_favourite",
            "books.0001_initial",
            "authors.0002_born",
        ];
        assert_eq!(names(&document), order);
        let destroyed: Vec<_> = document["migrations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|m| &m["destroys"])
            .collect();
        assert_eq!(
            destroyed[1][0], "table public.books_book and all of its rows (2 rows)",
            "{destroyed:#?}"
        );
        let told = Told::by(confirmed(&project, &run).run(), 0);
        assert_eq!(told.migrations("migration_unapplied"), order);
        assert_eq!(schema(&database), before);
        let kept = database
            .scalar("SELECT count(*) FROM authors_author")
            .expect("rows");
        assert_eq!(kept, "1", "what a reverse does not take stays");
        // and forward again: a rollback of a rollback is a run
        assert_ne!(applied_run(&project), run);
    }
}
