//! A workspace on the embedded default or on PostgreSQL and S3, and how another process finds it.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use test_services::{Postgres, S3};
use veracta_store::{Backend, Store, StoreError};

use crate::records::options;

/// Names the workspace to another process.
const FOLDER: &str = "VERACTA_TEST_FOLDER";
/// Names its database, and its object store, when they are elsewhere.
const ELSEWHERE: [&str; 2] = ["VERACTA_TEST_DATABASE", "VERACTA_TEST_OBJECTS"];

/// Where a test writes.
pub(crate) struct Workspace {
    folder: TempDir,
    backend: Backend,
    /// The servers it is on.
    pub(crate) services: Option<(Postgres, S3)>,
}

impl Workspace {
    /// In a folder of its own.
    pub(crate) fn embedded() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            backend: Backend::default(),
            services: None,
        }
    }

    /// On servers of its own.
    pub(crate) fn on_services() -> Self {
        let services = (Postgres::start().unwrap(), S3::start().unwrap());
        let backend = Backend {
            database: Some(services.0.url("postgres")),
            database_roots: None,
            objects: Some(services.1.url("workspace")),
            object_options: services.1.environment(),
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            backend,
            services: Some(services),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Begins it.
    pub(crate) fn begin(&self) -> Store {
        self.try_begin().unwrap()
    }

    /// Begins it, or says why not.
    pub(crate) fn try_begin(&self) -> Result<Store, StoreError> {
        Store::init_at(self.path(), &self.backend, options())
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Store {
        self.try_open().unwrap()
    }

    /// Opens it, or says why not.
    pub(crate) fn try_open(&self) -> Result<Store, StoreError> {
        Store::open_at(self.path(), &self.backend)
    }

    /// Names it to another process.
    pub(crate) fn pass_to<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env(FOLDER, self.path())
            .envs(self.backend.object_options.iter().cloned());
        for (name, url) in ELSEWHERE
            .iter()
            .zip([&self.backend.database, &self.backend.objects])
        {
            if let Some(url) = url {
                command.env(name, url);
            }
        }
        command
    }
}

/// Opens the workspace that this process was given, if any.
pub(crate) fn open_passed() -> Option<Result<Store, StoreError>> {
    let folder = std::env::var_os(FOLDER)?;
    let [database, objects] = ELSEWHERE.map(|name| std::env::var(name).ok());
    let object_options = std::env::vars()
        .filter(|(name, _)| name.starts_with("AWS_"))
        .collect();
    Some(Store::open_at(
        Path::new(&folder),
        &Backend {
            database,
            database_roots: None,
            objects,
            object_options,
        },
    ))
}

/// Runs each test on the embedded default and on PostgreSQL with S3.
macro_rules! on_both {
    ($($test:ident)+) => {
        mod embedded {
            $(#[test]
            fn $test() {
                super::$test(&crate::place::Workspace::embedded());
            })+
        }
        mod postgres_and_s3 {
            $(#[test]
            fn $test() {
                super::$test(&crate::place::Workspace::on_services());
            })+
        }
    };
}
pub(crate) use on_both;
