//! Whether this is the database of the run.

use super::Undone;
use crate::event::ProjectInspected;
use crate::exit::Class;
use crate::failure::Failure;

/// The database that was reached now.
#[derive(Debug, Clone)]
pub(crate) struct Here {
    pub(crate) alias: String,
    /// `shop@db1:5432/shop`
    pub(crate) target: String,
    pub(crate) name: String,
    pub(crate) system_identifier: Option<String>,
    pub(crate) database_oid: u32,
}

/// What the journal knows decides: the cluster's identifier where both could ask for it, the database's own number, its
/// name in journals of older versions. Hosts have many names.
pub(crate) fn same_database(undone: &Undone, here: &Here) -> Result<(), Failure> {
    let run = undone.id();
    if undone.started.database != here.alias {
        return Err(Failure::new(
            Class::NotTheSameDatabase,
            format!("run {run} was on another alias of DATABASES"),
        )
        .source("run", undone.started.database.clone())
        .source("now", here.alias.clone())
        .hint(format!("say --database {}", undone.started.database)));
    }
    let Some(then) = &undone.facts else {
        return Ok(());
    };
    match difference(then, here) {
        None => Ok(()),
        Some((what, was, is)) => Err(Failure::new(
            Class::NotTheSameDatabase,
            format!("run {run} was on another database: {what} differs"),
        )
        .source("run", format!("{}, {what} {was}", then.target))
        .source("now", format!("{}, {what} {is}", here.target))
        .hint(
            "nothing was changed; let the settings lead to the run's own database. One that was restored or swapped in \
             since has what the backup had: the run is not in it",
        )),
    }
}

fn difference(then: &ProjectInspected, here: &Here) -> Option<(&'static str, String, String)> {
    let (was, is) = (&then.system_identifier, &here.system_identifier);
    if let (Some(was), Some(is)) = (was, is)
        && was != is
    {
        return Some(("the system identifier", was.clone(), is.clone()));
    }
    if then.database_name != here.name {
        return Some(("the name", then.database_name.clone(), here.name.clone()));
    }
    let oid = then.database_oid.filter(|was| *was != here.database_oid)?;
    Some(("the oid", oid.to_string(), here.database_oid.to_string()))
}
