//! A small shop: three migrations applied, data, five pending, of which one destroys data.

use std::ops::Deref;
use std::path::Path;

use anyhow::Result;

use super::{App, Builder, Project};
use crate::env::Venv;
use crate::servers::{Database, Server};

/// Applied in the shop's database.
pub const SHOP_APPLIED: [&str; 3] = ["0001_initial", "0002_item_stock", "0003_order"];

/// Pending, in order: a new column, an index built concurrently, a RunPython, a new table and a foreign key to it, and
/// a removed column, which is destructive.
pub const SHOP_PENDING: [&str; 5] = [
    "0004_item_description",
    "0005_item_name_idx",
    "0006_fill_description",
    "0007_order_coupon",
    "0008_remove_item_legacy_code",
];

/// The shop with a database of its own: 5 categories, 500 items, 200 orders, 600 order lines.
#[derive(Debug)]
pub struct Shop {
    /// The project.
    pub project: Project,
    /// Its database.
    pub database: Database,
}

impl Deref for Shop {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

impl Shop {
    /// The shop in a temporary folder; its database is cloned from a template that is made once on each server for
    /// each version of Django.
    ///
    /// # Errors
    /// When Django or the server fails.
    pub fn new(venv: &Venv, server: &Server) -> Result<Self> {
        Self::described(venv, server, |builder| builder)
    }

    /// The same with changes to the project: other settings, one more app or migration.
    ///
    /// # Errors
    /// When Django or the server fails.
    pub fn described(
        venv: &Venv,
        server: &Server,
        describe: impl FnOnce(Builder) -> Builder,
    ) -> Result<Self> {
        let database = Self::database(venv, server)?;
        let project = describe(files(Project::new(venv, &database))).write()?;
        Ok(Self { project, database })
    }

    /// The shop in a folder that stays, on a database of the caller's, which it fills if it is empty.
    ///
    /// # Errors
    /// When Django or the server fails.
    pub fn write_to(venv: &Venv, database: &Database, folder: &Path) -> Result<Project> {
        let project = files(Project::new(venv, database)).write_to(folder)?;
        if database
            .query("SELECT 1 FROM pg_class WHERE relname = 'shop_item'")?
            .is_empty()
        {
            fill(&project, database)?;
        }
        Ok(project)
    }

    /// Only the database, in the state before the pending migrations.
    ///
    /// # Errors
    /// When Django or the server fails.
    pub fn database(venv: &Venv, server: &Server) -> Result<Database> {
        let key = format!("shop_{}", venv.name);
        server.database_with(&key, |database| {
            fill(&files(Project::new(venv, database)).write()?, database)
        })
    }
}

fn fill(project: &Project, database: &Database) -> Result<()> {
    let last = SHOP_APPLIED[SHOP_APPLIED.len() - 1];
    for app in ["contenttypes", "auth"] {
        project.manage(&["migrate", app])?;
    }
    project.manage(&["migrate", "shop", last])?;
    database.execute(include_str!("../../fixtures/shop/rows.sql"))
}

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../fixtures/shop/", $path))
    };
}

/// The fixture's files; pytest's configuration only where the environment has pytest.
fn files(builder: Builder) -> Builder {
    let builder = builder
        .app("shop", shop)
        .file("tests/__init__.py", fixture!("tests/__init__.py"))
        .file("tests/test_models.py", fixture!("tests/test_models.py"));
    if builder.has_pytest() {
        builder.file("pytest.ini", fixture!("pytest.ini"))
    } else {
        builder
    }
}

fn shop(app: App) -> App {
    app.models(fixture!("shop/models.py"))
        .migration("0001_initial", fixture!("shop/migrations/0001_initial.py"))
        .migration(
            "0002_item_stock",
            fixture!("shop/migrations/0002_item_stock.py"),
        )
        .migration("0003_order", fixture!("shop/migrations/0003_order.py"))
        .migration(
            "0004_item_description",
            fixture!("shop/migrations/0004_item_description.py"),
        )
        .migration(
            "0005_item_name_idx",
            fixture!("shop/migrations/0005_item_name_idx.py"),
        )
        .migration(
            "0006_fill_description",
            fixture!("shop/migrations/0006_fill_description.py"),
        )
        .migration(
            "0007_order_coupon",
            fixture!("shop/migrations/0007_order_coupon.py"),
        )
        .migration(
            "0008_remove_item_legacy_code",
            fixture!("shop/migrations/0008_remove_item_legacy_code.py"),
        )
}
