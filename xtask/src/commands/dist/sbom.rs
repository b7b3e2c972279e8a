//! What the program is made of, as CycloneDX 1.5, from `cargo metadata` and the lock file's checksums.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use xtask::process::{self, cargo};

use super::archive::sha256;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
    repository: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// The document for one platform.
pub(super) fn of(triple: &str, epoch: u64) -> Result<String> {
    let mut command = cargo();
    command.args([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--filter-platform",
        triple,
    ]);
    let metadata: Metadata = serde_json::from_str(&process::stdout(&mut command)?)?;
    let lock: Lock = toml::from_str(&fs_err::read_to_string(
        xtask::workspace().join("Cargo.lock"),
    )?)?;
    let time = jiff::Timestamp::from_second(i64::try_from(epoch)?)?.to_string();
    Ok(serde_json::to_string_pretty(&document(&metadata, &lock, &time)?)? + "\n")
}

fn document(metadata: &Metadata, lock: &Lock, time: &str) -> Result<Value> {
    let root = metadata
        .packages
        .iter()
        .find(|package| package.name == "django-migrate")
        .context("our own package")?;
    let packages: BTreeMap<&str, &Package> = metadata
        .packages
        .iter()
        .map(|package| (&*package.id, package))
        .collect();
    let graph = linked(metadata, &root.id);
    let components: Vec<Value> = graph
        .keys()
        .filter(|id| **id != root.id)
        .filter_map(|id| Some(component(packages.get(id)?, lock)))
        .collect();
    let reference = |id: &str| packages.get(id).map(|package| purl(package));
    let dependencies: Vec<Value> = graph
        .iter()
        .map(|(id, needs)| {
            let mut on: Vec<String> = needs.iter().filter_map(|need| reference(need)).collect();
            on.sort();
            json!({"ref": reference(id), "dependsOn": on})
        })
        .collect();
    let mut root_component = component(root, lock);
    root_component["type"] = json!("application");
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial_number(&components)?,
        "version": 1,
        "metadata": {"timestamp": time, "component": root_component},
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What is linked into the program: what it needs at run time, and that in turn; not what only builds or tests it.
fn linked<'a>(metadata: &'a Metadata, root: &'a str) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let nodes: BTreeMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (&*node.id, node))
        .collect();
    let (mut graph, mut waiting) = (BTreeMap::new(), vec![root]);
    while let Some(id) = waiting.pop() {
        if graph.contains_key(id) {
            continue;
        }
        let normal =
            |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        let needs: BTreeSet<&str> = nodes
            .get(id)
            .map(|node| {
                node.deps
                    .iter()
                    .filter(normal)
                    .map(|dependency| &*dependency.pkg)
                    .collect()
            })
            .unwrap_or_default();
        waiting.extend(&needs);
        graph.insert(id, needs);
    }
    graph
}

fn component(package: &Package, lock: &Lock) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": package.name,
        "version": package.version,
        "purl": purl(package),
    });
    if let Some(license) = &package.license {
        // `MIT/Apache-2.0` is how older crates write the expression
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    if let Some(description) = &package.description {
        component["description"] = json!(description.trim());
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    let same = |locked: &&Locked| locked.name == package.name && locked.version == package.version;
    if let Some(checksum) = lock
        .package
        .iter()
        .find(same)
        .and_then(|locked| locked.checksum.as_ref())
    {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn purl(package: &Package) -> String {
    let Package {
        name,
        version,
        source,
        ..
    } = package;
    match source {
        Some(_) => format!("pkg:cargo/{name}@{version}"),
        None => format!("pkg:cargo/{name}@{version}?vcs_url=workspace"),
    }
}

/// A UUID made of the content (version 8), where the usual random one would differ each time.
fn serial_number(components: &[Value]) -> Result<String> {
    let hash = sha256(&serde_json::to_vec(components)?);
    Ok(format!(
        "urn:uuid:{}-{}-8{}-a{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16],
        &hash[17..20],
        &hash[20..32]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On this very workspace, so that a change of cargo's format shows.
    #[test]
    fn it_lists_what_is_linked_and_not_what_tests() -> Result<()> {
        let text = of("x86_64-unknown-linux-gnu", 1_700_000_000)?;
        assert_eq!(
            text,
            of("x86_64-unknown-linux-gnu", 1_700_000_000)?,
            "the same bytes twice"
        );
        let document: Value = serde_json::from_str(&text)?;
        assert_eq!(document["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
        assert_eq!(document["metadata"]["component"]["name"], "django-migrate");
        let components = document["components"].as_array().context("components")?;
        let find = |name: &str| {
            components
                .iter()
                .find(|component| component["name"] == name)
        };
        for linked in [
            "pgdriver",
            "dumper",
            "tokio-postgres",
            "rustls",
            "sqlparser",
        ] {
            assert!(find(linked).is_some(), "{linked}");
        }
        for absent in ["xtask", "insta", "proptest", "vt100"] {
            assert!(find(absent).is_none(), "{absent} only tests or builds");
        }
        assert_eq!(
            find("tokio").context("tokio")?["hashes"][0]["alg"],
            "SHA-256"
        );
        let serial = document["serialNumber"].as_str().unwrap_or_default();
        assert_eq!(serial.len(), "urn:uuid:".len() + 36, "{serial}");
        Ok(())
    }
}
