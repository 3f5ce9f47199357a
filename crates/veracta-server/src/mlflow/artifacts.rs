//! `mlflow-artifacts/…` and the other ways to files: streamed both ways, with bounded memory.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;
use tokio_util::io::{StreamReader, SyncIoBridge};
use veracta_governance::access::Permission;
use veracta_ledger::Hash;
use veracta_store::Platform;
use veracta_store::tracking::ArtifactFile;
use veracta_tracking::artifacts::{self, checked_path};
use veracta_tracking::path_of;
use veracta_tracking::{logged_models, model_registry, runs, version_number};

use super::experiments::page;
use super::fields::Fields;
use super::find_below;
use super::json_response;
use super::transfer::{self, Step};
use super::wire::{Answer, answer};
use crate::access::CallerPlatform;
use crate::blocking::blocking;
use crate::endpoint::Endpoint;
use crate::error::ApiError;

/// Length of one piece of a download, in bytes: 256 KiB.
const PIECE_BYTES: usize = 256 << 10;
/// Bytes read of an upload that is refused.
const DRAINED_BYTES_LIMIT: usize = 64 << 20;
/// Largest number of pieces that wait for a slow client.
const PIECES_WAITING: usize = 8;

/// Returns the requests that put, fetch, list and remove files by path.
pub(super) fn endpoints(prefix: &str) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    let artifacts = format!("{prefix}/2.0/mlflow-artifacts");
    let steps: [(&str, Step); 3] = [
        ("create", transfer::create),
        ("complete", transfer::complete),
        ("abort", transfer::abort),
    ];
    for (name, step) in steps {
        let handler =
            move |platform, path, request| transfer::in_parts(step, platform, path, request);
        endpoints.push(Endpoint::new(
            "POST",
            format!("{artifacts}/mpu/{name}/{{*path}}"),
            Permission::Track,
            handler,
        ));
    }
    endpoints.push(Endpoint::new(
        "GET",
        format!("{artifacts}/presigned/{{*path}}"),
        Permission::Read,
        transfer::download,
    ));
    let folder = format!("{artifacts}/artifacts");
    let file = format!("{folder}/{{*path}}");
    endpoints.push(Endpoint::new("GET", folder, Permission::Read, list));
    endpoints.push(Endpoint::new(
        "GET",
        file.clone(),
        Permission::Read,
        download,
    ));
    endpoints.push(Endpoint::new(
        "PUT",
        file.clone(),
        Permission::Track,
        upload,
    ));
    endpoints.push(Endpoint::new("DELETE", file, Permission::Track, delete));
    endpoints
}

fn entry(path: String, bytes: Option<u64>) -> serde_json::Value {
    match bytes {
        // As MLflow's own server has it.
        Some(0) => json!({ "path": path, "is_dir": false }),
        Some(bytes) => json!({ "path": path, "is_dir": false, "file_size": bytes }),
        None => json!({ "path": path, "is_dir": true }),
    }
}

/// Lists what is at `path` below an artifact URI, with paths relative to it.
pub(super) fn list_below(platform: &Platform, root_uri: &str, path: &str) -> Answer {
    let path = checked_path(path)?;
    let Some(root) = path_of(root_uri) else {
        return Err(ApiError::invalid(format!(
            "Artifacts at '{root_uri}' do not go through this server, which cannot list them."
        )));
    };
    let folder = if path.is_empty() {
        root
    } else {
        format!("{root}/{path}")
    };
    let name = |name: String| {
        if path.is_empty() {
            name
        } else {
            format!("{path}/{name}")
        }
    };
    let files: Vec<_> = artifacts::list(platform, &folder)?
        .into_iter()
        .map(|listed| entry(name(listed.name), listed.bytes))
        .collect();
    match files.is_empty() {
        true => answer(&json!({ "root_uri": root_uri })),
        false => answer(&json!({ "root_uri": root_uri, "files": files })),
    }
}

pub(super) fn list_of_run(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let (run, _) = runs::get(platform, &fields.run_id()?)?;
    list_below(platform, &run.artifact_uri, &fields.text("path")?)
}

pub(super) async fn list(
    CallerPlatform(platform): CallerPlatform,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let body = blocking(move || {
        let fields = Fields::of_query(query.as_deref().unwrap_or_default())?;
        let folder = checked_path(&fields.text("path")?)?;
        let files = artifacts::list(&platform, &folder)?;
        page(
            "files",
            &files
                .into_iter()
                .map(|listed| entry(listed.name, listed.bytes))
                .collect::<Vec<_>>(),
            None,
        )
    });
    Ok(json_response(body.await?))
}

pub(super) async fn upload(
    CallerPlatform(platform): CallerPlatform,
    Path(path): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let path = match checked_path(&path) {
        Ok(path) => path,
        Err(refused) => {
            drain(body).await;
            return Err(refused.into());
        }
    };
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(stream.boxed()));
    blocking(move || {
        let mut reader = reader;
        Ok(artifacts::upload(&platform, path, &mut reader)?)
    })
    .await?;
    Ok(StatusCode::OK.into_response())
}

/// Reads what a refused client still sends, up to a limit: a connection that is closed earlier is reset before it hears why.
async fn drain(body: Body) {
    let mut stream = body.into_data_stream();
    let mut n_bytes = 0;
    while let Some(Ok(piece)) = stream.next().await {
        n_bytes += piece.len();
        if n_bytes > DRAINED_BYTES_LIMIT {
            return;
        }
    }
}

pub(super) async fn delete(
    CallerPlatform(platform): CallerPlatform,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    blocking(move || Ok(artifacts::delete(&platform, checked_path(&path)?)?)).await?;
    Ok(json_response(b"{}".to_vec()))
}

pub(super) async fn download(
    CallerPlatform(platform): CallerPlatform,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let finder = Arc::clone(&platform);
    let file = blocking(move || Ok(artifacts::find(&finder, &checked_path(&path)?)?)).await?;
    Ok(stream(platform, file, &headers))
}

async fn found(
    platform: Arc<Platform>,
    query: Option<String>,
    headers: HeaderMap,
    find: fn(&Platform, &Fields<'_>) -> Result<ArtifactFile, ApiError>,
) -> Result<Response, ApiError> {
    let finder = Arc::clone(&platform);
    let file = blocking(move || {
        find(
            &finder,
            &Fields::of_query(query.as_deref().unwrap_or_default())?,
        )
    })
    .await?;
    Ok(stream(platform, file, &headers))
}

pub(super) async fn of_run(
    CallerPlatform(platform): CallerPlatform,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    found(platform, query, headers, |platform, fields| {
        let (run, _) = runs::get(platform, &fields.run_id()?)?;
        find_below(platform, &run.artifact_uri, &fields.required("path")?)
    })
    .await
}

pub(super) async fn of_version(
    CallerPlatform(platform): CallerPlatform,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    found(platform, query, headers, |platform, fields| {
        let version = version_number(&fields.required("version")?)?;
        let location = model_registry::download_uri(platform, &fields.required("name")?, version)?;
        find_below(platform, &location, &fields.required("path")?)
    })
    .await
}

pub(super) async fn of_logged_model(
    CallerPlatform(platform): CallerPlatform,
    Path(model_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = format!(
        "{}&model_id={}",
        query.unwrap_or_default(),
        form_urlencoded::byte_serialize(model_id.as_bytes()).collect::<String>()
    );
    found(platform, Some(query), headers, |platform, fields| {
        let model = logged_models::get(platform, &fields.required("model_id")?)?;
        find_below(
            platform,
            &model.artifact_location,
            &fields.required("artifact_file_path")?,
        )
    })
    .await
}

/// The type of a file by the end of its name: only types that a browser shows as text are told, so that no upload becomes a page.
fn type_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => "application/json",
        Some(
            "txt" | "log" | "md" | "py" | "yaml" | "yml" | "csv" | "html" | "xml" | "sql" | "toml"
            | "cfg",
        ) => "text/plain",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}

/// The part of a file that a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ByteRange {
    Whole,
    Range(Range<u64>),
    /// The range begins after the end of the file, or is empty.
    Outside,
}

/// Reads a `Range` header (RFC 9110, section 14.2). Several ranges at once, other units and what is malformed give the whole file, as the
/// section allows.
fn part_of(header: Option<&str>, n_bytes: u64) -> ByteRange {
    let Some((first, last)) = header
        .and_then(|header| header.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return ByteRange::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (
        first.trim().is_empty(),
        number(first),
        last.trim().is_empty(),
        number(last),
    ) {
        (true, _, _, Some(length)) => n_bytes.saturating_sub(length)..n_bytes,
        (_, Some(first), true, _) => first..n_bytes,
        (_, Some(first), _, Some(last)) if first <= last => {
            first..n_bytes.min(last.saturating_add(1))
        }
        _ => return ByteRange::Whole,
    };
    if range.start < range.end {
        ByteRange::Range(range)
    } else {
        ByteRange::Outside
    }
}

/// Streams a file, or the part of it that is asked for; a client that stops reading ends it.
fn stream(platform: Arc<Platform>, file: ArtifactFile, headers: &HeaderMap) -> Response {
    // A part is good only with parts of the same bytes: a client says which by their digest.
    let etag = format!("\"{}\"", file.digest);
    let is_same = headers
        .get(IF_RANGE)
        .is_none_or(|known| known.as_bytes() == etag.as_bytes());
    let asked = headers
        .get(RANGE)
        .and_then(|range| range.to_str().ok())
        .filter(|_| is_same);
    let (status, range) = match part_of(asked, file.bytes) {
        ByteRange::Whole => (StatusCode::OK, 0..file.bytes),
        ByteRange::Range(range) => (StatusCode::PARTIAL_CONTENT, range),
        ByteRange::Outside => {
            let told = [(CONTENT_RANGE, format!("bytes */{}", file.bytes))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, told).into_response();
        }
    };
    let content_range = (status == StatusCode::PARTIAL_CONTENT).then(|| {
        [(
            CONTENT_RANGE,
            format!("bytes {}-{}/{}", range.start, range.end - 1, file.bytes),
        )]
    });
    let n_bytes = range.end - range.start;
    let headers = [
        (CONTENT_TYPE, type_of(&file.path).to_owned()),
        (CONTENT_LENGTH, n_bytes.to_string()),
        (
            CONTENT_DISPOSITION,
            format!("attachment; filename={}", file_name(&file.path)),
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (ETAG, etag),
    ];
    (
        status,
        headers,
        content_range.map(AppendHeaders),
        body_of(platform, file.digest, range),
    )
        .into_response()
}

/// Reads a range of a file piece by piece on a thread that may block; it ends when the client stops reading.
fn body_of(platform: Arc<Platform>, digest: Hash, range: Range<u64>) -> Body {
    let (pieces, receiver) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(PIECES_WAITING);
    tokio::task::spawn_blocking(move || {
        let mut reader = platform.store.blobs().reader(digest, range);
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let read = reader.read(&mut piece).map(|n_read| {
                piece.truncate(n_read);
                Bytes::from(piece)
            });
            let is_last = read.as_ref().map_or(true, Bytes::is_empty);
            if read.as_ref().is_ok_and(Bytes::is_empty)
                || pieces.blocking_send(read).is_err()
                || is_last
            {
                return;
            }
        }
    });
    Body::from_stream(futures_util::stream::unfold(
        receiver,
        async |mut receiver| receiver.recv().await.map(|piece| (piece, receiver)),
    ))
}

/// Returns the last step of a path without characters that end or split a header, in quotes when it has spaces.
fn file_name(path: &str) -> String {
    let name: String = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || "._- ".contains(*character))
        .collect();
    if name.contains(' ') {
        format!("\"{name}\"")
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_the_standard_says() {
        let cases = [
            (None, ByteRange::Whole),
            (Some("bytes=0-0"), ByteRange::Range(0..1)),
            (Some("bytes=2-5"), ByteRange::Range(2..6)),
            (Some("bytes=2-"), ByteRange::Range(2..10)),
            (Some("bytes=-3"), ByteRange::Range(7..10)),
            (Some("bytes=-30"), ByteRange::Range(0..10)),
            (
                Some("bytes=9-18446744073709551615"),
                ByteRange::Range(9..10),
            ),
            (Some("bytes=10-"), ByteRange::Outside),
            (Some("bytes=-0"), ByteRange::Outside),
            (Some("bytes=5-2"), ByteRange::Whole),
            (Some("bytes=0-1,4-5"), ByteRange::Whole),
            (Some("bytes=-"), ByteRange::Whole),
            (Some("lines=1-2"), ByteRange::Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(part_of(header, 10), expected, "{header:?}");
        }
    }
}
