//! Files that clients send to the object store, or fetch from it, themselves: `mlflow-artifacts/mpu/…`, `mlflow-artifacts/presigned/…`
//! and `artifacts/presigned-…`.

use axum::extract::{Path, Request};
use axum::response::Response;
use serde_json::{Map, Value, json};
use veracta_store::Platform;
use veracta_store::SignedRequest;
use veracta_tracking::artifacts::{self, checked_path};
use veracta_tracking::{logged_models, runs};

use super::fields::Fields;
use super::find_below;
use super::wire::{Answer, answer, done};
use super::{json_response, read_fields};
use crate::access::CallerPlatform;
use crate::blocking::blocking;
use crate::error::ApiError;

/// One step of an upload in parts to a path.
pub(super) type Step = fn(&Platform, String, &Fields<'_>) -> Answer;

fn headers_of(request: &SignedRequest) -> Value {
    request
        .headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect::<Map<_, _>>()
        .into()
}

/// The path is the folder; the body's path names the file, by the client's own path to it.
fn target(path: &str, fields: &Fields<'_>) -> Result<String, ApiError> {
    let local = fields.required("path")?;
    let name = local.rsplit(['/', '\\']).next().unwrap_or_default();
    Ok(checked_path(&format!(
        "{}/{name}",
        path.trim_end_matches('/')
    ))?)
}

pub(super) fn create(platform: &Platform, path: String, fields: &Fields<'_>) -> Answer {
    let n_parts = fields.integer("num_parts")?.unwrap_or(1);
    let begun =
        artifacts::begin_parts(platform, &path, n_parts)?.ok_or(ApiError::NoDirectTransfer)?;
    let credentials: Vec<Value> = begun
        .parts
        .iter()
        .zip(1..)
        .map(|(request, number)| json!({ "url": request.url, "part_number": number, "headers": headers_of(request) }))
        .collect();
    answer(&json!({ "upload_id": begun.id, "credentials": credentials }))
}

pub(super) fn complete(platform: &Platform, path: String, fields: &Fields<'_>) -> Answer {
    let mut parts = Vec::new();
    for part in fields.objects("parts")? {
        let number = u32::try_from(part.integer("part_number")?.unwrap_or(0)).unwrap_or(0);
        parts.push((
            number,
            part.text_or_none("etag")?.filter(|etag| !etag.is_empty()),
        ));
    }
    artifacts::complete_parts(platform, path, &fields.required("upload_id")?, parts)?;
    done()
}

pub(super) fn abort(platform: &Platform, path: String, fields: &Fields<'_>) -> Answer {
    artifacts::abort_parts(platform, &path, &fields.required("upload_id")?)?;
    done()
}

/// Carries out one step of an upload in parts.
pub(super) async fn in_parts(
    step: Step,
    CallerPlatform(platform): CallerPlatform,
    Path(path): Path<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let folder = checked_path(&path)?;
    let (parts, body) = request.into_parts();
    let fields = read_fields(&parts.method, "", &parts.headers, body).await?;
    let target = target(&folder, &fields)?;
    if !platform.store.blobs().can_sign() {
        return Err(ApiError::NoDirectTransfer);
    }
    Ok(json_response(
        blocking(move || step(&platform, target, &fields)).await?,
    ))
}

/// Finds the URI that a run's or a logged model's files begin with.
fn root_of(platform: &Platform, fields: &Fields<'_>) -> Result<String, ApiError> {
    let (run_id, model_id) = (fields.text("run_id")?, fields.text("model_id")?);
    match (run_id.is_empty(), model_id.is_empty()) {
        (false, true) => Ok(runs::get(platform, &run_id)?.0.artifact_uri),
        (true, false) => Ok(logged_models::get(platform, &model_id)?.artifact_location),
        _ => Err(ApiError::invalid(
            "Exactly one of run_id and model_id must be provided.",
        )),
    }
}

/// No address for an upload is given for a run's file alone: nothing would tell this server that the bytes are there, and which.
pub(super) fn presigned_upload(platform: &Platform, fields: &Fields<'_>) -> Answer {
    checked_path(&fields.required("path")?)?;
    root_of(platform, fields)?;
    Err(ApiError::invalid(
        "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts). Use \
         mlflow-artifacts/mpu/create, whose end tells this server what was sent.",
    ))
}

pub(super) fn presigned_download(platform: &Platform, fields: &Fields<'_>) -> Answer {
    let path = fields.required("path")?;
    let file = find_below(platform, &root_of(platform, fields)?, &path)?;
    let request = platform.store.blobs().sign_download(file.digest)?.ok_or_else(|| {
        ApiError::invalid(
            "Presigned download is not supported for runs with proxied artifact storage in a folder; it needs an object store.",
        )
    })?;
    answer(
        &json!({ "presigned_url": request.url, "headers": headers_of(&request), "file_size": file.bytes }),
    )
}

/// Gives an address to fetch a file from.
pub(super) async fn download(
    CallerPlatform(platform): CallerPlatform,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    let body = blocking(move || {
        let file = artifacts::find(&platform, &checked_path(&path)?)?;
        let request = platform
            .store
            .blobs()
            .sign_download(file.digest)?
            .ok_or(ApiError::NoDirectTransfer)?;
        answer(
            &json!({ "url": request.url, "headers": headers_of(&request), "file_size": file.bytes }),
        )
    });
    Ok(json_response(body.await?))
}
