//! A running `veracta serve`, and requests to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::project::Project;

/// Longest wait for an answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// A server in a project; ended when dropped.
pub(crate) struct Server {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
    /// Shown with each request.
    pub(crate) token: Option<String>,
    /// Kept open: what the server says later needs somewhere to go.
    _complaints: BufReader<ChildStderr>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a request (method, path and type of its body) and returns status and body.
pub(crate) fn send_to(
    address: &str,
    token: Option<&str>,
    request: (&str, &str, &str),
    body: &[u8],
) -> std::io::Result<(u16, Vec<u8>)> {
    let (method, path, kind) = request;
    let token = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    let answer = exchange(
        address,
        (method, path),
        &format!("{token}Content-Type: {kind}\r\n"),
        body,
    )?;
    Ok((answer.status, answer.body))
}

/// An answer with its head.
pub(crate) struct Exchanged {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Exchanged {
    /// Returns a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Sends a request with more headers, each line with its end.
pub(crate) fn exchange(
    address: &str,
    (method, path): (&str, &str),
    headers: &str,
    body: &[u8],
) -> std::io::Result<Exchanged> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or(std::io::ErrorKind::InvalidData)?;
    let body = answer[end + 4..].to_vec();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")
            .map(str::to_owned)
    });
    // A connection that broke off is no answer.
    if length.is_some_and(|length| length.parse() != Ok(body.len())) {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Exchanged { status, head, body })
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) fn start(project: &Project) -> Self {
        Self::with(project, &[])
    }

    /// Starts a server with more options.
    pub(crate) fn with(project: &Project, options: &[&str]) -> Self {
        Self::of(
            project
                .program()
                .args(["serve", "--listen", "127.0.0.1:0"])
                .args(options),
        )
    }

    /// Starts a server by its command, and waits until it listens.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut complaints = BufReader::new(child.stderr.take().unwrap());
        complaints.read_line(&mut line).unwrap();
        let address = line
            .split("://")
            .nth(1)
            .unwrap_or_else(|| panic!("no address in {line:?}"))
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        Self {
            child,
            address,
            token: None,
            _complaints: complaints,
        }
    }

    /// Sends a request and returns status and body.
    pub(crate) fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let (status, body) = self.send_bytes(method, path, kind, body);
        (status, String::from_utf8(body).unwrap())
    }

    /// Sends a request and returns status and body as bytes.
    pub(crate) fn send_bytes(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        send_to(
            &self.address,
            self.token.as_deref(),
            (method, path, kind),
            body,
        )
        .unwrap()
    }

    /// Kills it (SIGKILL); it stays dead.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Gets what must be answered, as JSON.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send("GET", path, "text/plain", b"");
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.send(
            "POST",
            &format!("/api/2.0/mlflow/{path}"),
            "application/json",
            body.to_string().as_bytes(),
        );
        (status, serde_json::from_str(&answer).unwrap())
    }

    /// Posts what must be answered, and returns the answer.
    pub(crate) fn done(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Posts what must be refused with this status and a message that has these words.
    pub(crate) fn refused(&self, path: &str, body: &Value, status: u16, words: &str) {
        let (found, answer) = self.post(path, body);
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(
            found == status && message.contains(words),
            "{path}: {found} {answer}"
        );
    }
}

/// Takes one request and answers it with a status; returns its first line and its body.
pub(crate) fn take_request(listener: &TcpListener, status: &str) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(listener.accept().unwrap().0);
    let (mut first, mut line, mut n_bytes) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).unwrap();
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            n_bytes = length.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body).unwrap();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    (first, body)
}

/// Returns the text at a place of an answer.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{pointer} of {value}"))
}
