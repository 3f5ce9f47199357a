//! Arguments of the server and of access to it.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use veracta_governance::access::Role;

/// How to serve.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:7979")]
    pub(crate) listen: SocketAddr,
    /// Only publish the ledger, which anybody may read; needs no users.
    #[arg(long)]
    pub(crate) ledger_only: bool,
    /// Certificate chain (PEM), to serve over TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Identity provider to log in with (OpenID Connect), such as `https://login.example.org`.
    #[arg(
        long,
        value_name = "URL",
        requires = "oidc_client",
        requires = "public_url"
    )]
    pub(crate) oidc_issuer: Option<String>,
    /// Id of this server at the identity provider; its secret is read from VERACTA_OIDC_SECRET.
    #[arg(long, value_name = "ID")]
    pub(crate) oidc_client: Option<String>,
    /// Claim of the provider that holds the name of a user.
    #[arg(long, value_name = "CLAIM", default_value = "email")]
    pub(crate) oidc_claim: String,
    /// URL under which browsers reach this server, to which the identity provider sends them back.
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Let webhooks send events to addresses of an inner network, and over HTTP. Whoever may add a webhook can then reach those through
    /// this server.
    #[arg(long)]
    pub(crate) webhooks_anywhere: bool,
    /// Tell clients to send files of 500 MiB and more to the object store themselves, and to fetch them there, under addresses signed for an
    /// hour. They must be able to reach it.
    #[arg(long)]
    pub(crate) direct_transfer: bool,
    /// Address of a lineage backend that is told of each recorded run in events of OpenLineage, such as
    /// `https://marquez.example.org/api/v1/lineage`; its key is read from OPENLINEAGE_API_KEY.
    #[arg(long, value_name = "URL")]
    pub(crate) openlineage: Option<String>,
    /// Requests a second that one user may send.
    #[arg(long, value_name = "N", default_value = "2000")]
    pub(crate) rate: NonZeroU32,
    /// Refused requests a minute of one address, after which it is told to wait.
    #[arg(long, value_name = "N", default_value = "60")]
    pub(crate) refusals: NonZeroU32,
}

/// Where an import reads.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportFrom {
    /// From MLflow.
    Mlflow {
        /// A folder `mlruns`, a SQLite file, `sqlite:///file`, `postgresql://user@host/database`, or the address of a running server, to which
        /// MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, say who you are.
        #[arg(long, value_name = "URI")]
        from: String,
        /// Where files lie now whose recorded location begins so, `PREFIX=FOLDER`, such as `mlflow-artifacts:/=/srv/mlartifacts`.
        #[arg(long, value_name = "PREFIX=FOLDER")]
        artifacts: Vec<String>,
    },
}

/// What to write.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportTo {
    /// Experiments, runs, models and files, as MLflow's file store. MLflow serves it (`mlflow server --backend-store-uri FOLDER`).
    Mlflow {
        /// Folder to write, which must not be there yet.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
    },
    /// Every recorded run as an event of OpenLineage, one a line.
    Openlineage {
        /// File to write; the standard output when not given.
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserAction {
    /// Add a user.
    Add {
        /// Name, such as an e-mail address: what an identity provider says, when one is used.
        name: String,
        /// What the user may do; several roles with commas.
        #[arg(long, value_delimiter = ',', required = true, value_parser = parse_role, value_name = "ROLE")]
        role: Vec<Role>,
    },
    /// Give a user other roles.
    Roles {
        /// Name.
        name: String,
        /// What the user may do from now on.
        #[arg(value_delimiter = ',', required = true, value_parser = parse_role, value_name = "ROLE")]
        role: Vec<Role>,
    },
    /// End a user's access at once, tokens and sessions included.
    Remove {
        /// Name.
        name: String,
    },
    /// List users with their roles.
    List,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Issue a token and print it, once.
    Issue {
        /// User it is for.
        name: String,
        /// Limit it to these of the user's roles.
        #[arg(long, value_delimiter = ',', value_parser = parse_role, value_name = "ROLE")]
        role: Vec<Role>,
        /// Days until it ends.
        #[arg(long, default_value_t = 90)]
        days: i64,
    },
    /// Revoke a token at once.
    Revoke {
        /// Its id, the part of the token after `veracta_`.
        id: String,
    },
    /// List tokens; the tokens themselves are not kept.
    List,
}

fn parse_role(word: &str) -> Result<Role, String> {
    word.trim()
        .parse()
        .map_err(|error: veracta_governance::access::UnknownRole| error.to_string())
}
