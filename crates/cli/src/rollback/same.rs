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
    same(undone, here, difference)
}

/// The same for who restores beside it: the database of that name may be another by now.
pub(crate) fn same_server(undone: &Undone, here: &Here) -> Result<(), Failure> {
    same(undone, here, |then, here| {
        difference(then, here).filter(|(what, ..)| *what != OID)
    })
}

const OID: &str = "the oid";

type Difference = (&'static str, String, String);

fn same(
    undone: &Undone,
    here: &Here,
    difference: impl Fn(&ProjectInspected, &Here) -> Option<Difference>,
) -> Result<(), Failure> {
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

fn difference(then: &ProjectInspected, here: &Here) -> Option<Difference> {
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
    Some((OID, oid.to_string(), here.database_oid.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Here {
        Here {
            alias: "default".into(),
            target: "shop@db2:5432/shop".into(),
            name: "shop".into(),
            system_identifier: Some("7".into()),
            database_oid: 16_384,
        }
    }

    fn then(system: Option<&str>, oid: Option<u32>) -> Undone {
        let mut undone = Undone::of(&crate::report::sample::applied()).expect("a run");
        if let Some(facts) = &mut undone.facts {
            facts.system_identifier = system.map(Into::into);
            facts.database_oid = oid;
        }
        undone
    }

    /// Hosts have many names, and a standby that was promoted is the same cluster.
    #[test]
    fn what_the_journal_knows_decides_and_not_the_host() {
        let check =
            |undone: &Undone, here: &Here| same_database(undone, here).map_err(|f| f.code());
        assert_eq!(check(&then(Some("7"), Some(16_384)), &here()), Ok(()));
        assert_eq!(
            check(&then(None, None), &here()),
            Ok(()),
            "a journal of an older version"
        );
        assert_eq!(check(&then(Some("8"), Some(16_384)), &here()), Err(31));
        assert_eq!(check(&then(Some("7"), Some(1)), &here()), Err(31));
        assert_eq!(
            same_server(&then(Some("7"), Some(1)), &here()).map_err(|f| f.code()),
            Ok(())
        );
        let other = Here {
            name: "shop_copy".into(),
            ..here()
        };
        assert_eq!(check(&then(None, None), &other), Err(31));
        let alias = Here {
            alias: "replica".into(),
            ..here()
        };
        assert_eq!(check(&then(None, None), &alias), Err(31));
    }
}
