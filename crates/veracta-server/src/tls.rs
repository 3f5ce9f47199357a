//! Connections under TLS, by rustls with ring.

use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Longest time for a client to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Clients that may be agreeing on keys at once.
const HANDSHAKES_LIMIT: usize = 256;
/// Wait after the system refused a connection, such as for want of file descriptors.
const REFUSED_WAIT: Duration = Duration::from_millis(200);

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificates: std::path::PathBuf,
    /// PEM file with the private key of the server's certificate.
    pub key: std::path::PathBuf,
}

/// Why the certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("`{file}` cannot be read as PEM: {reason}")]
    File {
        /// Path of the file that cannot be read.
        file: String,
        /// What is wrong with the file, in words.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that cannot be used.
    #[error(
        "the certificate in `{certificates}` and the key in `{key}` cannot be used together: {source}"
    )]
    Pair {
        /// Path of the file with the certificate chain.
        certificates: String,
        /// Path of the file with the private key.
        key: String,
        /// The error of the TLS library.
        source: rustls::Error,
    },
}

/// Listens for connections and agrees on keys with several clients at once, so that a slow one keeps nobody waiting.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub(crate) fn new(tcp: TcpListener, files: &TlsFiles) -> Result<Self, TlsError> {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_reader_iter(open(&files.certificates)?)
                .collect::<Result<_, _>>()
                .map_err(pem(&files.certificates))?;
        let key = PrivateKeyDer::from_pem_reader(open(&files.key)?).map_err(pem(&files.key))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions();
        let config = config.and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        });
        let config = config.map_err(|source| TlsError::Pair {
            certificates: files.certificates.display().to_string(),
            key: files.key.display().to_string(),
            source,
        })?;
        Ok(Self {
            tcp,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: JoinSet::new(),
        })
    }

    fn begin_handshake(&mut self, stream: TcpStream, address: SocketAddr) {
        let accept = self.acceptor.accept(stream);
        self.handshakes.spawn(async move {
            // A client that does not agree, or not in time, is no concern of the others.
            let agreed = tokio::time::timeout(HANDSHAKE_TIMEOUT, accept)
                .await
                .ok()?
                .ok()?;
            Some((agreed, address))
        });
    }
}

fn open(path: &Path) -> Result<BufReader<File>, TlsError> {
    let file = File::open(path).map_err(|error| TlsError::File {
        file: path.display().to_string(),
        reason: error.to_string(),
    })?;
    Ok(BufReader::new(file))
}

fn pem(path: &Path) -> impl Fn(rustls::pki_types::pem::Error) -> TlsError {
    let file = path.display().to_string();
    move |error| TlsError::File {
        file: file.clone(),
        reason: error.to_string(),
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let may_begin = self.handshakes.len() < HANDSHAKES_LIMIT;
            tokio::select! {
                Some(ended) = self.handshakes.join_next() => {
                    if let Ok(Some(agreed)) = ended {
                        return agreed;
                    }
                }
                accepted = self.tcp.accept(), if may_begin => match accepted {
                    Ok((stream, address)) => self.begin_handshake(stream, address),
                    Err(_) => tokio::time::sleep(REFUSED_WAIT).await,
                },
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
