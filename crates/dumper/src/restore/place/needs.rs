//! What the dump needs of the server, looked for before the first statement: everything that is missing, in one error.
//!
//! Absent: making it. Roles, extensions' files and tablespaces are whoever runs the server's to give.

use pgdriver::databases::{self, Lack, Wanted, Why};
use pgdriver::{ConnectOptions, QueryError, Session};

use super::super::error::RestoreFailure;
use super::super::request::{Owners, Privileges, RestoreRequest, Target};
use crate::needs::Needs;
use crate::swap::quoted;

/// An error where something is missing.
pub(super) async fn met(
    session: &Session,
    request: &RestoreRequest,
    needs: &Needs,
) -> Result<(), RestoreFailure> {
    let wanted = wanted(request, needs);
    let lacks = match &request.target {
        // an extension that is in it already needs nobody's permission
        Target::ExistingEmpty => inside(&request.connection, &request.into, &wanted).await?,
        Target::New | Target::Replace(_) => databases::lacks(session, &wanted).await?,
    };
    if lacks.is_empty() {
        return Ok(());
    }
    Err(RestoreFailure::Missing {
        missing: lacks
            .iter()
            .map(|it| said(it, &request.connection))
            .collect(),
        remedies: remedies(&lacks, needs, (request.connection.user(), &request.into)),
    })
}

async fn inside(
    connection: &ConnectOptions,
    database: &str,
    wanted: &Wanted<'_>,
) -> Result<Vec<Lack>, RestoreFailure> {
    let session = pgdriver::connect(&connection.clone().with_database(database)).await?;
    let lacks: Result<Vec<Lack>, QueryError> = databases::lacks(&session, wanted).await;
    session.close().await;
    Ok(lacks?.into_iter().filter(|it| !it.installed).collect())
}

fn wanted<'a>(request: &RestoreRequest, needs: &'a Needs) -> Wanted<'a> {
    let mut wanted = Wanted {
        roles: needs.others.iter().map(String::as_str).collect(),
        extensions: needs.extensions.iter().map(String::as_str).collect(),
        tablespaces: needs.tablespaces.iter().map(String::as_str).collect(),
        database: request.target != Target::ExistingEmpty,
        ..Wanted::default()
    };
    if request.owners == Owners::Keep {
        wanted.owners = needs.owners.iter().map(String::as_str).collect();
    }
    if request.privileges == Privileges::Keep {
        wanted
            .roles
            .extend(needs.grantees.iter().map(String::as_str));
    }
    wanted
}

fn said(lack: &Lack, connection: &ConnectOptions) -> String {
    let Lack {
        kind, name, why, ..
    } = lack;
    let user = connection.user();
    match why {
        Why::Missing => format!("{kind} {name}"),
        Why::NotAMember => {
            format!("{kind} {name}: {user} cannot act as it, and so cannot give it anything")
        }
        Why::Superuser => format!("{kind} {name}: only a superuser may make it"),
        Why::Privilege => format!("{kind} {name}: {user} may not make anything in it"),
        Why::NoCreatedb => format!("{kind} {name}: {user} may not make a database"),
    }
}

/// What makes each of them go away, in the order in which one would do it.
fn remedies(lacks: &[Lack], needs: &Needs, (user, into): (&str, &str)) -> Vec<String> {
    let of = |kind: &str, why: Why| {
        let found = lacks
            .iter()
            .filter(move |it| it.kind == kind && it.why == why);
        found.map(|it| it.name.as_str()).collect::<Vec<_>>()
    };
    let mut remedies = Vec::new();
    if lacks.iter().any(|it| it.why == Why::NoCreatedb) {
        let (user, into) = (quoted(user), quoted(into));
        remedies.push(format!(
            "ALTER ROLE {user} CREATEDB; as a superuser, or let one make it empty (CREATE DATABASE {into} OWNER {user} \
             TEMPLATE template0;) and restore into that"
        ));
    }
    let missing = of("role", Why::Missing);
    for role in &missing {
        remedies.push(format!("CREATE ROLE {};", quoted(role)));
    }
    let no_member = of("role", Why::NotAMember);
    for role in &no_member {
        remedies.push(format!(
            "GRANT {} TO {}; as a superuser, or restore as one",
            quoted(role),
            quoted(user)
        ));
    }
    let roles: Vec<&str> = missing.iter().chain(&no_member).copied().collect();
    let is =
        |set: &std::collections::BTreeSet<String>| roles.iter().any(|role| set.contains(*role));
    let without = [
        (is(&needs.owners), "--no-owner"),
        (is(&needs.grantees), "--no-privileges"),
    ];
    let without: Vec<&str> = without.iter().filter(|it| it.0).map(|it| it.1).collect();
    if !without.is_empty() {
        remedies.push(format!(
            "or leave out what needs them: {}",
            without.join(" ")
        ));
    }
    for name in of("extension", Why::Missing) {
        remedies.push(format!(
            "install the package that has the extension {name} on the server (for those of PostgreSQL itself \
             postgresql-contrib)"
        ));
    }
    for name in of("extension", Why::Superuser) {
        remedies.push(format!(
            "let a superuser make an empty database with CREATE EXTENSION {}; and restore into that",
            quoted(name)
        ));
    }
    for name in of("tablespace", Why::Missing) {
        remedies.push(format!("CREATE TABLESPACE {} LOCATION '…';", quoted(name)));
    }
    for name in of("tablespace", Why::Privilege) {
        remedies.push(format!("GRANT CREATE ON TABLESPACE {} TO …;", quoted(name)));
    }
    remedies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lack(kind: &str, name: &str, why: Why) -> Lack {
        Lack {
            kind: kind.to_owned(),
            name: name.to_owned(),
            why,
            installed: false,
        }
    }

    fn set(names: &[&str]) -> std::collections::BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn each_lack_has_its_remedy() {
        let mut needs = Needs::default();
        needs.owners = set(&["a", "b\"c"]);
        needs.grantees = set(&["a"]);
        let lacks = [
            lack("role", "b\"c", Why::Missing),
            lack("extension", "postgis", Why::Missing),
            lack("tablespace", "fast", Why::Missing),
        ];
        assert_eq!(
            remedies(&lacks, &needs, ("ann", "shop")),
            [
                "CREATE ROLE \"b\"\"c\";",
                "or leave out what needs them: --no-owner",
                "install the package that has the extension postgis on the server (for those of PostgreSQL itself \
                 postgresql-contrib)",
                "CREATE TABLESPACE \"fast\" LOCATION '…';",
            ]
        );
        let only = remedies(
            &[lack("role", "a", Why::NotAMember)],
            &needs,
            ("ann", "shop"),
        );
        assert_eq!(
            only[1],
            "or leave out what needs them: --no-owner --no-privileges"
        );
        // a role in a policy is needed whatever is left out
        let policy = remedies(&[lack("role", "p", Why::Missing)], &needs, ("ann", "shop"));
        assert_eq!(policy, ["CREATE ROLE \"p\";"]);
    }
}
