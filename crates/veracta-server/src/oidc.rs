//! Log-in through an identity provider: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636).
//!
//! What a log-in needs to remember lies in a cookie of the browser that began it, so that any server process can end it. The provider says
//! who somebody is; what they may do is said here, by the roles of the user of that name.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Query;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use veracta_tracking::access::{AccessError, begin_session};

use crate::access::{CallerPlatform, SESSION_COOKIE};
use crate::blocking::blocking;
use crate::error::ApiError;

/// Cookie that holds what a log-in needs to remember.
const LOGIN_COOKIE: &str = "veracta_login";
/// Seconds that a log-in may take.
const LOGIN_SECONDS: u32 = 600;
/// Seconds that a session lasts in the browser; the token ends by itself as well.
const SESSION_SECONDS: u32 = 8 * 3600;
/// Longest answer of a provider.
const ANSWER_BYTES_LIMIT: usize = 1 << 20;
/// Longest wait for a provider.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// Signatures that are taken: asymmetric ones, so that nobody who can check one can make one.
const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::PS256,
    Algorithm::EdDSA,
];

/// The identity provider, and who this server is to it.
#[derive(Clone)]
pub struct OidcOptions {
    /// URL of the provider, as its tokens name it.
    pub issuer: String,
    /// Id of this server at the provider.
    pub client_id: String,
    /// Secret of this server at the provider, if it has one.
    pub client_secret: Option<String>,
    /// URL under which browsers reach this server.
    pub public_url: String,
    /// Claim that holds the name of a user.
    pub claim: String,
}

impl std::fmt::Debug for OidcOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcOptions")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Where the provider answers, as it says itself (OpenID Connect Discovery 1.0).
#[derive(Debug, Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
}

/// The identity provider of a server.
#[derive(Debug)]
pub(crate) struct Oidc {
    options: OidcOptions,
    client: reqwest::Client,
    discovery: OnceCell<Discovery>,
}

/// What a log-in needs to remember.
struct Login {
    state: String,
    nonce: String,
    verifier: String,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Callback {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

fn random_text() -> Result<String, ApiError> {
    let mut random = [0u8; 32];
    getrandom::fill(&mut random).map_err(|_| ApiError::Internal)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

impl Login {
    fn begin() -> Result<Self, ApiError> {
        Ok(Self {
            state: random_text()?,
            nonce: random_text()?,
            verifier: random_text()?,
        })
    }

    fn to_cookie(&self) -> String {
        format!("{}.{}.{}", self.state, self.nonce, self.verifier)
    }

    fn of_cookies(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'));
        let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == LOGIN_COOKIE)?;
        let [state, nonce, verifier] = value.split('.').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self {
            state: state.to_owned(),
            nonce: nonce.to_owned(),
            verifier: verifier.to_owned(),
        })
    }
}

impl Oidc {
    pub(crate) fn new(options: OidcOptions) -> Result<Self, ApiError> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build();
        Ok(Self {
            options,
            client: client.map_err(|_| ApiError::Internal)?,
            discovery: OnceCell::new(),
        })
    }

    fn redirect_uri(&self) -> String {
        format!(
            "{}/auth/callback",
            self.options.public_url.trim_end_matches('/')
        )
    }

    /// The attributes of a cookie: only sent to this server, never to scripts, and over TLS only where there is TLS.
    fn cookie(&self, name: &str, value: &str, seconds: u32) -> String {
        let secure = if self.options.public_url.starts_with("https:") {
            "; Secure"
        } else {
            ""
        };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    async fn discovery(&self) -> Result<&Discovery, ApiError> {
        self.discovery
            .get_or_try_init(|| async {
                let url = format!(
                    "{}/.well-known/openid-configuration",
                    self.options.issuer.trim_end_matches('/')
                );
                let found: Discovery = self.fetch(self.client.get(url)).await?;
                if found.issuer.trim_end_matches('/') != self.options.issuer.trim_end_matches('/') {
                    return Err(ApiError::Provider(
                        "it names another issuer than the one configured",
                    ));
                }
                Ok(found)
            })
            .await
    }

    async fn fetch<T: serde::de::DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ApiError> {
        let mut answer = request
            .send()
            .await
            .map_err(|_| ApiError::Provider("it does not answer"))?;
        if !answer.status().is_success() {
            return Err(ApiError::Provider("it refuses"));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer
            .chunk()
            .await
            .map_err(|_| ApiError::Provider("its answer breaks off"))?
        {
            bytes.extend_from_slice(&piece);
            if bytes.len() > ANSWER_BYTES_LIMIT {
                return Err(ApiError::Provider("its answer is too long"));
            }
        }
        serde_json::from_slice(&bytes)
            .map_err(|_| ApiError::Provider("its answer is not what OpenID Connect says"))
    }

    /// Returns where a browser goes to log in.
    async fn authorization_url(&self, login: &Login) -> Result<String, ApiError> {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(login.verifier.as_bytes()));
        let scope = if self.options.claim == "sub" {
            "openid"
        } else {
            "openid profile email"
        };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &self.options.client_id),
                ("redirect_uri", &self.redirect_uri()),
                ("scope", scope),
                ("state", &login.state),
                ("nonce", &login.nonce),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let endpoint = &self.discovery().await?.authorization_endpoint;
        let joint = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{joint}{query}"))
    }

    /// Exchanges a code for the name of a user.
    async fn name_of(&self, code: &str, login: &Login) -> Result<String, ApiError> {
        let discovery = self.discovery().await?;
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &self.redirect_uri()),
                ("client_id", &self.options.client_id),
                ("code_verifier", &login.verifier),
            ])
            .finish();
        let mut request = self
            .client
            .post(&discovery.token_endpoint)
            .header("Content-Type", "application/x-www-form-urlencoded");
        if let Some(secret) = &self.options.client_secret {
            request = request.basic_auth(&self.options.client_id, Some(secret));
        }
        let tokens: Tokens = self.fetch(request.body(form)).await?;
        let keys: JwkSet = self.fetch(self.client.get(&discovery.jwks_uri)).await?;
        let mut claims = self.claims_in(&tokens.id_token, &keys, discovery, login)?;
        if claims.get(&self.options.claim).is_none()
            && let (Some(endpoint), Some(access)) =
                (&discovery.userinfo_endpoint, &tokens.access_token)
        {
            let more: Value = self
                .fetch(self.client.get(endpoint).bearer_auth(access))
                .await?;
            // The two must be about the same person (OpenID Connect Core 5.3.2).
            if more.get("sub") != claims.get("sub") {
                return Err(ApiError::Provider(
                    "what it says about you is about somebody else",
                ));
            }
            claims = more;
        }
        if self.options.claim == "email"
            && claims.get("email_verified") == Some(&Value::Bool(false))
        {
            return Err(ApiError::Provider("it has not verified the e-mail address"));
        }
        let name = claims.get(&self.options.claim).and_then(Value::as_str);
        name.map(str::to_owned).ok_or(ApiError::Provider(
            "it does not name the user; see --oidc-claim",
        ))
    }

    /// Checks an ID token (OpenID Connect Core 3.1.3.7) and returns what it states.
    fn claims_in(
        &self,
        token: &str,
        keys: &JwkSet,
        discovery: &Discovery,
        login: &Login,
    ) -> Result<Value, ApiError> {
        let untrusted = || ApiError::Provider("its token is not one that can be trusted");
        let header = decode_header(token).map_err(|_| untrusted())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(untrusted());
        }
        let key = match &header.kid {
            Some(id) => keys.find(id),
            None => keys.keys.first().filter(|_| keys.keys.len() == 1),
        };
        let key = DecodingKey::from_jwk(key.ok_or_else(untrusted)?).map_err(|_| untrusted())?;
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[&self.options.client_id]);
        validation.set_issuer(&[&discovery.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Value>(token, &key, &validation)
            .map_err(|_| untrusted())?
            .claims;
        if claims.get("nonce").and_then(Value::as_str) != Some(&login.nonce) {
            return Err(untrusted());
        }
        Ok(claims)
    }
}

/// The identity provider to log in with; `None` when log-in is not offered.
pub(crate) type Provider = Option<Arc<Oidc>>;

fn redirect(to: &str, cookies: &[String]) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
    for cookie in cookies {
        if let Ok(value) = cookie.parse() {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}

/// Begins a log-in: sends the browser to the provider.
pub(crate) async fn login(Extension(provider): Extension<Provider>) -> Result<Response, ApiError> {
    let oidc = provider.ok_or(ApiError::NoProvider)?;
    let login = Login::begin()?;
    let url = oidc.authorization_url(&login).await?;
    Ok(redirect(
        &url,
        &[oidc.cookie(LOGIN_COOKIE, &login.to_cookie(), LOGIN_SECONDS)],
    ))
}

/// Ends a log-in: the provider has sent the browser back.
pub(crate) async fn callback(
    Extension(provider): Extension<Provider>,
    CallerPlatform(platform): CallerPlatform,
    Query(query): Query<Callback>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let oidc = provider.ok_or(ApiError::NoProvider)?;
    if query.error.is_some() {
        return Err(ApiError::Provider("it did not log you in"));
    }
    let login = Login::of_cookies(&headers).ok_or(ApiError::Provider(
        "the log-in was not begun in this browser, or took too long",
    ))?;
    let (Some(code), Some(state)) = (query.code, query.state) else {
        return Err(ApiError::Provider("its answer is incomplete"));
    };
    if state != login.state {
        return Err(ApiError::Provider("its answer belongs to another log-in"));
    }
    let name = oidc.name_of(&code, &login).await?;
    let issued = blocking(
        move || match begin_session(&platform.of_actor(&name), name) {
            Ok(issued) => Ok(issued),
            Err(AccessError::Store(error)) => Err(error.into()),
            Err(_) => Err(ApiError::NotAUser),
        },
    )
    .await?;
    let session = oidc.cookie(SESSION_COOKIE, &issued.text, SESSION_SECONDS);
    Ok(redirect(
        "/api/v1/me",
        &[session, oidc.cookie(LOGIN_COOKIE, "", 0)],
    ))
}

/// Revokes the token of the session, if there is one, and removes its cookie.
pub(crate) async fn logout(
    CallerPlatform(platform): CallerPlatform,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let text = crate::access::shown_token(&headers);
    blocking(move || {
        let Some(text) = text else { return Ok(()) };
        if let Ok((_, token)) = veracta_tracking::access::authenticate(&platform, &text)?
            && token.factor == "session"
        {
            veracta_tracking::access::revoke_token(&platform, token.id)
                .map_err(|_| ApiError::Internal)?;
        }
        Ok(())
    })
    .await?;
    Ok(redirect(
        "/api/v1/me",
        &[format!(
            "{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        )],
    ))
}
