//! Where things are, and what cargo knows of the workspace.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::{capture, cargo};

/// The workspace as `cargo metadata --no-deps` describes it.
pub(crate) struct Workspace {
    /// The folder of the top `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The workspace's own packages, in cargo's order.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
pub(crate) struct Package {
    /// The package's name, such as `plimsoll-market`.
    pub(crate) name: String,
    /// The folder of its `Cargo.toml`, from the root.
    pub(crate) folder: PathBuf,
    /// Names of the packages that it depends on, in any section.
    pub(crate) dependencies: Vec<String>,
    /// Names of its examples.
    pub(crate) examples: Vec<String>,
    /// Its benchmarks.
    pub(crate) benches: Vec<Bench>,
    /// Features without which cargo would silently leave out a test or an example, as `package/feature`.
    pub(crate) features: BTreeSet<String>,
}

/// One benchmark.
pub(crate) struct Bench {
    /// Its name.
    pub(crate) name: String,
    /// Features that it needs.
    pub(crate) features: Vec<String>,
}

impl Workspace {
    /// Asks cargo, and makes the root the working directory, so that every command and path starts there.
    pub(crate) fn enter() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace's root")?;
        std::env::set_current_dir(root).with_context(|| format!("could not enter {}", root.display()))?;
        let text = capture(cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        Self::parse(&serde_json::from_str(&text).context("cargo metadata printed something that is not JSON")?)
    }

    fn parse(metadata: &Value) -> Result<Self> {
        let text = |value: &Value, key: &str| -> Result<String> {
            let found = value.get(key).and_then(Value::as_str);
            Ok(found.with_context(|| format!("cargo metadata has no text {key}"))?.to_owned())
        };
        let list = |value: &Value, key: &str| -> Result<Vec<Value>> {
            let found = value.get(key).and_then(Value::as_array);
            Ok(found.with_context(|| format!("cargo metadata has no list {key}"))?.clone())
        };
        let root = PathBuf::from(text(metadata, "workspace_root")?);
        let mut packages = Vec::new();
        for package in list(metadata, "packages")? {
            let manifest = PathBuf::from(text(&package, "manifest_path")?);
            let mut dependencies = Vec::new();
            for dependency in list(&package, "dependencies")? {
                dependencies.push(text(&dependency, "name")?);
            }
            let targets = list(&package, "targets")?;
            let of_kind = |kind: &str| -> Vec<&Value> {
                let is =
                    |target: &&Value| target.get("kind").and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(|k| k == kind));
                targets.iter().filter(is).collect()
            };
            let name = text(&package, "name")?;
            let mut features = BTreeSet::new();
            for target in of_kind("test").into_iter().chain(of_kind("example")) {
                features.extend(required(target).iter().map(|feature| format!("{name}/{feature}")));
            }
            let mut benches = Vec::new();
            for target in of_kind("bench") {
                benches.push(Bench { name: text(target, "name")?, features: required(target) });
            }
            let examples = of_kind("example").into_iter().map(|target| text(target, "name")).collect::<Result<_>>()?;
            packages.push(Package {
                name,
                folder: manifest
                    .parent()
                    .and_then(|folder| folder.strip_prefix(&root).ok())
                    .context("a manifest lies below the root")?
                    .to_path_buf(),
                dependencies,
                examples,
                benches,
                features,
            });
        }
        Ok(Self { root, target: PathBuf::from(text(metadata, "target_directory")?), packages })
    }

    /// All features that tests and examples need, as cargo takes them.
    pub(crate) fn features(&self) -> String {
        let features: Vec<&str> = self.packages.iter().flat_map(|package| &package.features).map(String::as_str).collect();
        features.join(",")
    }

    /// A folder for this tool's own logs and pictures.
    pub(crate) fn results(&self) -> Result<PathBuf> {
        let folder = self.target.join("xtask");
        std::fs::create_dir_all(&folder).with_context(|| format!("could not create {}", folder.display()))?;
        Ok(folder)
    }
}

/// Features without which cargo leaves the target out.
fn required(target: &Value) -> Vec<String> {
    let features = target.get("required-features").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    features.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_prints() {
        let metadata = serde_json::json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [{"name": "plimsoll-market", "manifest_path": "/w/crates/market/Cargo.toml",
                "dependencies": [{"name": "arrayvec", "kind": null}],
                "targets": [{"kind": ["lib"], "name": "plimsoll_market"}, {"kind": ["example"], "name": "exact_prices"},
                    {"kind": ["test"], "name": "queues", "required-features": ["tokio", "spsc"]},
                    {"kind": ["bench"], "name": "prices", "required-features": ["fast"]}]}]
        });
        let workspace = Workspace::parse(&metadata).unwrap();
        let package = &workspace.packages[0];
        assert_eq!(package.folder, Path::new("crates/market"));
        assert_eq!(package.dependencies, ["arrayvec"]);
        assert_eq!(package.examples, ["exact_prices"]);
        assert_eq!(package.benches[0].name, "prices");
        assert_eq!(package.benches[0].features, ["fast"]);
        assert_eq!(workspace.features(), "plimsoll-market/spsc,plimsoll-market/tokio");
    }

    #[test]
    fn refuses_metadata_of_another_shape() {
        assert!(Workspace::parse(&serde_json::json!({"packages": 3})).is_err());
    }
}
