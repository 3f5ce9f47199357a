//! Who asks, and whether they may: checked before a request reaches what answers it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::header::{
    AUTHORIZATION, COOKIE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use veracta_governance::access::{Permission, Roles};
use veracta_store::Platform;
use veracta_tracking::access::{Caller, Denial, Refused, authenticate, has_users, record_refusal};

use crate::blocking::blocking;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::telemetry::Traces;
use crate::tls::TlsListener;

/// Name of the cookie that holds the token of a session.
pub(crate) const SESSION_COOKIE: &str = "veracta_session";
/// Refusals of one kind that are recorded each; more of them within a minute are counted.
const RECORDED_EACH: u64 = 10;
/// Time for which refusals of one kind are counted together before the count is recorded.
const COUNTED_TOGETHER: Duration = Duration::from_secs(60);
/// How often a server without users looks for the first.
const USERS_LOOKED_EVERY: Duration = Duration::from_secs(1);
/// Kinds of refusals counted at once; more are recorded each.
const KINDS_LIMIT: usize = 10_000;

/// Whether a request needs a token that identifies its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Everybody who can reach it may do everything: on this machine's own address, before there is a user.
    None,
    /// Every request but the public ones needs a valid token.
    Required,
}

/// Limits on the number of requests.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest number of requests of one caller in a second.
    pub requests_a_second: NonZeroU32,
    /// Refused requests a minute of one address; after more it is told to wait.
    pub refusals_a_minute: NonZeroU32,
}

/// The address a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, tokio::net::TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, tokio::net::TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// The platform in the name of the caller of a request: what it changes is recorded as the caller's.
pub(crate) struct CallerPlatform(pub(crate) Arc<Platform>);

impl<S: Sync> FromRequestParts<S> for CallerPlatform {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // It is put there by `AccessControl::pass`, which every route goes through.
        parts
            .extensions
            .get::<Arc<Platform>>()
            .map(|platform| Self(Arc::clone(platform)))
            .ok_or(ApiError::Internal)
    }
}

/// Refusals that are counted together: method and pattern of the path, reason, and caller when known.
type RefusalKind = (String, Denial, Option<Caller>);

/// Number of refusals of one kind since the first of them.
struct Counted {
    since: Instant,
    n_recorded: u64,
    n_pending: u64,
}

/// Decides for each request whether its caller may make it, limits how often, and records refusals.
pub(crate) struct AccessControl {
    platform: Arc<Platform>,
    /// Whether a token is needed; once there is a user, it is.
    is_closed: AtomicBool,
    looked: Mutex<Instant>,
    refusals: Mutex<HashMap<RefusalKind, Counted>>,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    of_callers: DefaultKeyedRateLimiter<String>,
    of_denied: DefaultKeyedRateLimiter<IpAddr>,
}

impl AccessControl {
    pub(crate) fn new(
        platform: Arc<Platform>,
        accounts: Accounts,
        limits: Limits,
        traces: Traces,
    ) -> Self {
        Self {
            platform,
            is_closed: AtomicBool::new(accounts == Accounts::Required),
            looked: Mutex::new(Instant::now()),
            refusals: Mutex::new(HashMap::new()),
            metrics: Metrics::new(),
            traces,
            of_callers: RateLimiter::keyed(Quota::per_second(limits.requests_a_second)),
            of_denied: RateLimiter::keyed(Quota::per_minute(limits.refusals_a_minute)),
        }
    }

    /// Answers a request, and adds it to metrics and traces.
    pub(crate) async fn watch(
        self: Arc<Self>,
        needs: Permission,
        pattern: Arc<str>,
        request: Request,
        next: Next,
    ) -> Response {
        let (begun, method) = (Instant::now(), request.method().clone());
        let span = self.traces.begin(&method, &pattern, request.headers());
        let mut response = Arc::clone(&self)
            .pass(needs, Arc::clone(&pattern), request, next)
            .await;
        // What a browser is not to do with an answer: guess its type, or show it inside another page.
        let headers = response.headers_mut();
        headers
            .entry(X_CONTENT_TYPE_OPTIONS)
            .or_insert(HeaderValue::from_static("nosniff"));
        headers
            .entry(X_FRAME_OPTIONS)
            .or_insert(HeaderValue::from_static("SAMEORIGIN"));
        self.metrics.note(
            &method,
            &pattern,
            response.status().as_u16(),
            begun.elapsed(),
        );
        span.end(response.status().as_u16());
        response
    }

    /// Lets a request through to `next` when its caller has the permission that the route needs.
    async fn pass(
        self: Arc<Self>,
        needs: Permission,
        pattern: Arc<str>,
        mut request: Request,
        next: Next,
    ) -> Response {
        let address = request
            .extensions()
            .get::<ConnectInfo<Peer>>()
            .map(|ConnectInfo(peer)| peer.0.ip());
        let is_public = needs == Permission::Public;
        let is_closed = match self.is_closed().await {
            Ok(is_closed) => is_closed,
            Err(error) if !is_public => return error.into_response(),
            Err(_) => false,
        };
        if is_public || !is_closed {
            if !is_public && let Err(refused) = check_host(request.headers()) {
                return refused.into_response();
            }
            request.extensions_mut().insert(Arc::clone(&self.platform));
            return next.run(request).await;
        }
        let access = Arc::clone(&self);
        let (method, text) = (request.method().clone(), shown_token(request.headers()));
        let answer = blocking(move || access.judge(needs, &pattern, &method, text)).await;
        match answer {
            Ok(Ok(caller)) => {
                if self.of_callers.check_key(&caller.name).is_err() {
                    return ApiError::TooMany.into_response();
                }
                request
                    .extensions_mut()
                    .insert(Arc::new(self.platform.of_actor(&caller.name)));
                request.extensions_mut().insert(caller);
                next.run(request).await
            }
            Ok(Err(denial)) => {
                let is_flood =
                    address.is_some_and(|address| self.of_denied.check_key(&address).is_err());
                if is_flood {
                    ApiError::TooMany
                } else {
                    ApiError::Denied(denial)
                }
                .into_response()
            }
            Err(error) => error.into_response(),
        }
    }

    /// Whether a token is needed. The first user may be added while the server runs: that is looked for once a second.
    async fn is_closed(self: &Arc<Self>) -> Result<bool, ApiError> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let is_due = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = looked.elapsed() >= USERS_LOOKED_EVERY;
            if is_due {
                *looked = Instant::now();
            }
            is_due
        };
        if is_due {
            let access = Arc::clone(self);
            if blocking(move || Ok(has_users(&access.platform.store)?)).await? {
                self.is_closed.store(true, Ordering::Relaxed);
            }
        }
        Ok(self.is_closed.load(Ordering::Relaxed))
    }

    fn judge(
        &self,
        needs: Permission,
        pattern: &str,
        method: &Method,
        text: Option<String>,
    ) -> Result<Result<Caller, Denial>, ApiError> {
        let known = match &text {
            Some(text) => authenticate(&self.platform, text)?.map(|(caller, _)| caller),
            None => Err(Denial::NoToken),
        };
        let (denial, caller) = match known {
            Ok(caller) if caller.may(needs) => return Ok(Ok(caller)),
            Ok(caller) => (Denial::NotPermitted, Some(caller)),
            Err(denial) => (denial, None),
        };
        self.note_refusal((format!("{method} {pattern}"), denial, caller))?;
        Ok(Err(denial))
    }

    /// Records a refusal, or counts it when there were many of its kind.
    fn note_refusal(&self, kind: RefusalKind) -> Result<(), ApiError> {
        let n_events = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let is_full = refusals.len() >= KINDS_LIMIT;
            if is_full && !refusals.contains_key(&kind) {
                1
            } else {
                let counted = refusals.entry(kind.clone()).or_insert(Counted {
                    since: Instant::now(),
                    n_recorded: 0,
                    n_pending: 0,
                });
                counted.n_pending += 1;
                if counted.n_recorded >= RECORDED_EACH {
                    return Ok(());
                }
                counted.n_recorded += 1;
                std::mem::take(&mut counted.n_pending)
            }
        };
        self.record(kind, n_events)
    }

    fn record(&self, (action, denial, caller): RefusalKind, n_events: u64) -> Result<(), ApiError> {
        Ok(record_refusal(
            &self.platform,
            Refused {
                action,
                denial,
                caller,
                n_events,
            },
        )?)
    }

    /// Records what was counted and is old enough, or everything; forgets callers and addresses at rest.
    pub(crate) fn flush_refusals(&self, everything: bool) -> Result<(), ApiError> {
        self.of_denied.retain_recent();
        self.of_callers.retain_recent();
        let mut due = Vec::new();
        self.refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|kind, counted| {
                let is_due = everything || counted.since.elapsed() >= COUNTED_TOGETHER;
                if is_due && counted.n_pending > 0 {
                    due.push((kind.clone(), counted.n_pending));
                }
                !is_due
            });
        due.into_iter()
            .try_for_each(|(kind, n_events)| self.record(kind, n_events))
    }
}

/// Returns the token a request shows: as bearer, as the password of basic authentication, or in the cookie of a session.
pub(crate) fn shown_token(headers: &HeaderMap) -> Option<String> {
    let authorization = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if let Some((scheme, value)) = authorization.and_then(|value| value.split_once(' ')) {
        return match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(value.trim().to_owned()),
            // The name before the colon is the client's own affair: the token says whose it is.
            "basic" => STANDARD
                .decode(value.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .map(|pair| {
                    let password = pair
                        .split_once(':')
                        .map(|(_, password)| password.to_owned());
                    password.unwrap_or(pair)
                }),
            _ => Some(String::new()),
        };
    }
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value.to_owned())
}

/// Refuses a request that was sent to another name, or by a page of another place: a page elsewhere may have had its name pointed at this
/// machine (DNS rebinding).
fn check_host(headers: &HeaderMap) -> Result<(), ApiError> {
    let text =
        |value: Option<&HeaderValue>| value.map(|value| value.to_str().unwrap_or("?").to_owned());
    let host = text(headers.get(HOST)).unwrap_or_default();
    let origin = text(headers.get(ORIGIN));
    let is_foreign = |origin: &String| {
        !origin
            .split_once("://")
            .is_some_and(|(_, host)| is_own(host))
    };
    if is_own(&host) && !origin.as_ref().is_some_and(is_foreign) {
        Ok(())
    } else {
        Err(ApiError::ForeignHost)
    }
}

/// Whether a host, with or without a port, is this machine.
fn is_own(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Returns what a caller may do; who needs no token may do everything.
pub(crate) fn roles_of(caller: Option<&Caller>) -> Roles {
    caller.map_or_else(Roles::all, |caller| caller.roles.clone())
}
