//! A project on disk: its folder, its `stateroom.toml`, and what cargo knows about it.

use crate::{
    config::{Config, FILE_NAME},
    failure::Failure,
    options::ProjectOptions,
};
use anyhow::{Context, anyhow, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package, PackageId};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub(crate) struct Project {
    /// The crate's folder, absolute.
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    /// Where `config` was read from, whether or not the file exists.
    pub(crate) config_file: PathBuf,
    /// The folder that it is in, absolute: what it names is relative to that.
    pub(crate) config_folder: PathBuf,
}

impl Project {
    pub(crate) fn open(options: &ProjectOptions) -> anyhow::Result<Project> {
        let given = options.path.display();
        let folder = options
            .path
            .canonicalize()
            .with_context(|| format!("there is no folder {given}"))
            .context(Failure::Usage)?;
        if !folder.join("Cargo.toml").is_file() {
            return Err(anyhow!(
                "no Cargo.toml in {}: give the folder of a service's crate, or start one with `stateroom new NAME`",
                folder.display()
            )
            .context(Failure::Usage));
        }
        let named = options.config.as_deref();
        let (config, config_folder) = Config::find(named, &folder).context(Failure::Usage)?;
        let config_file = named.map_or_else(|| folder.join(FILE_NAME), Path::to_owned);
        Ok(Project { folder, config, config_file, config_folder })
    }

    /// The folder to serve at `/`, if the configuration names one.
    pub(crate) fn static_files(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(files) = &self.config.static_files else { return Ok(None) };
        let folder = self.config_folder.join(files);
        if !folder.is_dir() {
            return Err(anyhow!(
                "{}: `static_files` names {}, which is not a folder",
                self.config_file.display(),
                folder.display()
            )
            .context(Failure::Usage));
        }
        Ok(Some(folder))
    }

    /// Where the TypeScript types of its messages go, if the configuration says that.
    pub(crate) fn types_file(&self) -> Option<PathBuf> {
        self.config.service.types.as_ref().map(|file| self.config_folder.join(file))
    }

    /// What cargo says about the packages of the workspace, without their dependencies.
    pub(crate) fn metadata(&self) -> anyhow::Result<Metadata> {
        Ok(self.metadata_command().no_deps().exec()?)
    }

    /// The package `name`, or the one in the project's folder.
    pub(crate) fn package<'a>(
        &self,
        metadata: &'a Metadata,
        name: Option<&str>,
    ) -> anyhow::Result<&'a Package> {
        let manifest = self.folder.join("Cargo.toml");
        let found = metadata.packages.iter().find(|package| match name {
            Some(name) => package.name.as_str() == name,
            None => same_file(package.manifest_path.as_std_path(), &manifest),
        });
        match (found, name) {
            (Some(package), _) => Ok(package),
            (None, Some(name)) => bail!(
                "{}: there is no package `{name}` in this workspace; it has {}",
                self.config_file.display(),
                metadata
                    .packages
                    .iter()
                    .map(|package| package.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            (None, None) => bail!(
                "{} is a workspace and not a package: name the service's package in {FILE_NAME}, as `package` in `[service]`",
                manifest.display()
            ),
        }
    }

    /// The folders of every package on this machine that the service or the client is built from:
    /// their own, and those that they reach through path dependencies.
    pub(crate) fn source_folders(&self) -> anyhow::Result<BTreeSet<PathBuf>> {
        let metadata = self.metadata_command().exec()?;
        let mut waiting =
            vec![self.package(&metadata, self.config.service.package.as_deref())?.id.clone()];
        if let Some(client) = &self.config.client {
            waiting.push(self.package(&metadata, Some(&client.package))?.id.clone());
        }
        Ok(local_folders(&metadata, waiting))
    }

    fn metadata_command(&self) -> MetadataCommand {
        let mut command = MetadataCommand::new();
        command.manifest_path(self.folder.join("Cargo.toml")).current_dir(&self.folder);
        command
    }
}

fn local_folders(metadata: &Metadata, mut waiting: Vec<PackageId>) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        let package = metadata.packages.iter().find(|package| package.id == id);
        let Some(package) = package.filter(|package| package.source.is_none()) else { continue };
        let Some(folder) = package.manifest_path.parent() else { continue };
        if folders.insert(folder.as_std_path().to_owned()) {
            let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
            waiting.extend(
                nodes.filter(|node| node.id == id).flat_map(|node| node.dependencies.clone()),
            );
        }
    }
    folders
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
