//! Where an import reads: a folder of MLflow's file store, a database of its server, or the running server.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use veracta_store::mlflow::MlflowDatabase;
use veracta_store::tracking::{
    Experiment, ForeignRun, LoggedModel, RegisteredModel, RegisteredVersion, Run,
};

use super::file_store::FileStore;
use super::server::TrackingServer;
use crate::TrackingError;

/// Why an import stops. What was brought in before stays, and the next import goes on after it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("`{file}` cannot be read")]
    File {
        /// Path of the file that cannot be read.
        file: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file or answer is not in the form that MLflow writes.
    #[error("`{file}`{}: {reason}", at_line(*line))]
    Malformed {
        /// Path of the malformed file.
        file: String,
        /// Line, from 1; 0 when it is about the whole file.
        line: usize,
        /// How it differs from what MLflow writes.
        reason: String,
    },
    /// The text names no folder, database or server of MLflow.
    #[error(
        "`{uri}` is no source: give the folder `mlruns` of a file store, a SQLite file (mlflow.db), sqlite:///file, postgresql://… or https://…"
    )]
    NotASource {
        /// What was given, without what may be a password.
        uri: String,
    },
    /// Something here has the number or the name already.
    #[error("{what} of the source cannot be brought in: there is {other} here; rename one of them")]
    Conflict {
        /// The thing that would be brought in, in words.
        what: String,
        /// The thing here that has its number or name, in words.
        other: String,
    },
    /// A folder has too many files.
    #[error("`{folder}` has more than {limit} files")]
    TooMany {
        /// Path of the folder with too many files.
        folder: String,
        /// Largest number of files that one run or model may have.
        limit: usize,
    },
    /// The database of the source cannot be read.
    #[error("the source cannot be read")]
    Database(#[source] veracta_store::StoreError),
    /// The tracking server of the source does not answer as expected.
    #[error("the source fails at {request}: {reason}")]
    Server {
        /// Path of the request, or address of the server.
        request: String,
        /// What the server answered, or why it did not.
        reason: String,
    },
    /// What was read cannot be stored.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
}

fn at_line(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!(", line {line}"),
    }
}

impl ImportError {
    /// Returns in words what keeps one thing of a source from being read; `None` of what keeps all from it.
    pub(super) fn of_one_thing(&self) -> Option<String> {
        match self {
            Self::File { source, .. } => Some(format!("{self}: {source}")),
            Self::Malformed { .. } => Some(self.to_string()),
            Self::NotASource { .. }
            | Self::Conflict { .. }
            | Self::TooMany { .. }
            | Self::Database(_)
            | Self::Server { .. }
            | Self::Tracking(_) => None,
        }
    }
}

/// Where a file is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// At this path on this machine.
    Local(PathBuf),
    /// At the server, by its path there.
    Remote(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(path) => f.write_str(path),
        }
    }
}

/// A source of experiments, runs and models.
#[derive(Debug)]
pub struct Source {
    kind: Kind,
    folder: PathBuf,
}

#[derive(Debug)]
enum Kind {
    Files(FileStore),
    Database(MlflowDatabase, &'static str),
    Server(TrackingServer),
}

impl Source {
    /// Opens a source: a folder, a SQLite file, or the URL of a database or server.
    pub fn open(uri: &str) -> Result<Self, ImportError> {
        let path = Path::new(uri.strip_prefix("file://").unwrap_or(uri));
        if path.is_dir() {
            let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
            return Ok(Self {
                kind: Kind::Files(FileStore::open(path)?),
                folder,
            });
        }
        if let Some(file) = uri.strip_prefix("sqlite:///") {
            return Self::sqlite(Path::new(file));
        }
        if path.is_file() {
            return Self::sqlite(path);
        }
        if uri.starts_with("postgres") {
            let database = MlflowDatabase::open(uri).map_err(ImportError::Database)?;
            return Ok(Self {
                kind: Kind::Database(database, "a PostgreSQL database of MLflow"),
                folder: PathBuf::new(),
            });
        }
        if uri.starts_with("http://") || uri.starts_with("https://") {
            return Ok(Self {
                kind: Kind::Server(TrackingServer::open(uri)?),
                folder: PathBuf::new(),
            });
        }
        // What stands before an @ may be a password.
        let shown = uri.rsplit_once('@').map_or(uri, |(_, rest)| rest);
        Err(ImportError::NotASource {
            uri: shown.to_owned(),
        })
    }

    fn sqlite(file: &Path) -> Result<Self, ImportError> {
        let database = MlflowDatabase::open(&format!("sqlite:///{}", file.display()))
            .map_err(ImportError::Database)?;
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        Ok(Self {
            kind: Kind::Database(database, "a SQLite database of MLflow"),
            folder,
        })
    }

    /// Returns what it is, in words.
    pub fn kind(&self) -> &'static str {
        match &self.kind {
            Kind::Files(_) => "a file store of MLflow",
            Kind::Database(_, words) => words,
            Kind::Server(_) => "a tracking server",
        }
    }

    /// Returns what could not be read so far, each with the reason.
    pub(super) fn left_out(&self) -> Vec<String> {
        match &self.kind {
            Kind::Files(files) => files.left_out(),
            Kind::Database(..) | Kind::Server(_) => Vec::new(),
        }
    }

    /// Returns the folder that relative locations begin in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn experiments(&self) -> Result<Vec<Experiment>, ImportError> {
        match &self.kind {
            Kind::Files(files) => files.experiments(),
            Kind::Database(database, _) => database.experiments().map_err(ImportError::Database),
            Kind::Server(server) => server.experiments(),
        }
    }

    pub(super) fn runs_of(&self, experiment_id: i64) -> Result<Vec<Run>, ImportError> {
        match &self.kind {
            Kind::Files(files) => files.runs_of(experiment_id),
            Kind::Database(database, _) => database
                .runs_of(experiment_id)
                .map_err(ImportError::Database),
            Kind::Server(server) => server.runs_of(experiment_id),
        }
    }

    pub(super) fn run(&self, run: Run) -> Result<ForeignRun, ImportError> {
        match &self.kind {
            Kind::Files(files) => files.run(run),
            Kind::Database(database, _) => database.run(run).map_err(ImportError::Database),
            Kind::Server(server) => server.run(run),
        }
    }

    pub(super) fn logged_models_of(
        &self,
        experiment_id: i64,
    ) -> Result<Vec<LoggedModel>, ImportError> {
        match &self.kind {
            Kind::Files(files) => files.logged_models_of(experiment_id),
            Kind::Database(database, _) => database
                .logged_models_of(experiment_id)
                .map_err(ImportError::Database),
            Kind::Server(server) => server.logged_models_of(experiment_id),
        }
    }

    pub(super) fn registered_models(&self) -> Result<Vec<RegisteredModel>, ImportError> {
        match &self.kind {
            Kind::Files(files) => files.registered_models(),
            Kind::Database(database, _) => {
                database.registered_models().map_err(ImportError::Database)
            }
            Kind::Server(server) => server.registered_models(),
        }
    }

    pub(super) fn versions_of(&self, model: &str) -> Result<Vec<RegisteredVersion>, ImportError> {
        match &self.kind {
            Kind::Files(files) => files.versions_of(model),
            Kind::Database(database, _) => {
                database.versions_of(model).map_err(ImportError::Database)
            }
            Kind::Server(server) => server.versions_of(model),
        }
    }

    /// Returns the files at a location that the source itself hands out, by name; `None` when it does not.
    pub(super) fn files(&self, uri: &str) -> Result<Option<Vec<(String, Place)>>, ImportError> {
        let Kind::Server(server) = &self.kind else {
            return Ok(None);
        };
        let files = server.files(uri)?;
        Ok(files.map(|files| {
            files
                .into_iter()
                .map(|(name, path)| (name, Place::Remote(path)))
                .collect()
        }))
    }

    /// Opens a file of the source, as a stream.
    pub(super) fn open_file(&self, place: &Place) -> Result<Box<dyn Read>, ImportError> {
        match (place, &self.kind) {
            (Place::Remote(path), Kind::Server(server)) => Ok(Box::new(server.open_file(path)?)),
            (Place::Remote(path), _) => Err(ImportError::NotASource { uri: path.clone() }),
            (Place::Local(path), _) => {
                let file = File::open(path).map_err(|source| ImportError::File {
                    file: path.display().to_string(),
                    source,
                })?;
                Ok(Box::new(file))
            }
        }
    }

    /// Returns where the files of a run are when the folder has been moved since.
    pub(super) fn folder_of_run(&self, run: &Run) -> Option<PathBuf> {
        match &self.kind {
            Kind::Files(files) => files.folder_of_run(run),
            Kind::Database(..) | Kind::Server(_) => None,
        }
    }

    /// Returns where the files of a logged model are when the folder has been moved since.
    pub(super) fn folder_of_model(&self, model: &LoggedModel) -> Option<PathBuf> {
        match &self.kind {
            Kind::Files(files) => files.folder_of_model(model),
            Kind::Database(..) | Kind::Server(_) => None,
        }
    }
}
