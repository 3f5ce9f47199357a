//! Users, their roles and tokens, and who a request comes from. Each change, log-in and refusal is a record.

use jiff::{SignedDuration, Timestamp};
use veracta_governance::access::{Permission, Roles};
use veracta_governance::record::{AccessGrant, AccessLog, Record};
use veracta_ledger::Hash;
use veracta_store::access::{Token, User};
use veracta_store::{NewRecord, Store, StoreError, View};

use veracta_store::Platform;

/// Longest name of a user, in characters.
const NAME_CHARS: usize = 200;
/// How the text of a token begins, so that a scanner of secrets knows it.
const TOKEN_PREFIX: &str = "veracta_";
/// Hexadecimal digits of a token's id.
const ID_DIGITS: usize = 16;
/// Longest time for which a token is issued, in days.
const TOKEN_DAYS_LIMIT: i64 = 366;
/// Hours for which a log-in through an identity provider is valid.
const SESSION_HOURS: i64 = 8;

/// Why access cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No user has the name.
    #[error("there is no user `{name}`; `veracta user list` lists them")]
    NoUser {
        /// Name that no user has.
        name: String,
    },
    /// A user with at least one role has the name already.
    #[error("there is a user `{name}` already; `veracta user roles` changes what the user may do")]
    UserExists {
        /// Name that a user with at least one role has already.
        name: String,
    },
    /// The text cannot be the name of a user.
    #[error(
        "a user needs a name of 1 to {NAME_CHARS} characters without `:` and control characters"
    )]
    Name,
    /// No token has the id.
    #[error("there is no token `{id}`; `veracta token list` lists them")]
    NoToken {
        /// Id that no token has.
        id: String,
    },
    /// The life of a token is out of bounds.
    #[error("a token lives from 1 to {TOKEN_DAYS_LIMIT} days, not {days}")]
    Days {
        /// Number of days that was asked for.
        days: i64,
    },
    /// The change would leave no administrator.
    #[error("`{name}` is the last administrator; make another one first")]
    LastAdministrator {
        /// Name of the only administrator.
        name: String,
    },
    /// The store refuses or fails; see [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The user that a request comes from, with what the user and the token permit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Name, under which changes are recorded by handle.
    pub name: String,
    /// Roles of the user at the time of the request.
    pub roles: Roles,
    /// What the token they showed is limited to.
    pub limited_to: Roles,
    /// How they are known: `token`, `session` or `local`.
    pub factor: String,
}

impl Caller {
    /// Returns whether they may do it: both they and their token.
    pub fn may(&self, needed: Permission) -> bool {
        self.roles.permit(needed) && self.limited_to.permit(needed)
    }
}

/// A token that was just issued; its text is not kept and cannot be told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The part of the token that is stored, without its text.
    pub token: Token,
    /// The secret text that requests show.
    pub text: String,
}

/// A user with the name behind the handle, unless it was erased.
pub type NamedUser = (User, Option<String>);

fn record_of(log: AccessLog, subject: String) -> NewRecord {
    NewRecord {
        record: Record::AccessLog(log),
        subject,
        key: None,
        links: Vec::new(),
        artifacts: Vec::new(),
    }
}

fn of_user(action: &str, user: &User, factor: &str) -> NewRecord {
    let grant = AccessGrant {
        roles: user.roles.words(),
        expires: None,
        token: None,
        user: None,
    };
    let log = AccessLog {
        action: action.to_owned(),
        object: Some(user.handle.clone()),
        allowed: true,
        reason: "an administrator's decision".to_owned(),
        factor: factor.to_owned(),
        grant: Some(grant),
        n_events: 1,
    };
    record_of(log, format!("user:{}", user.handle))
}

fn of_token(action: &str, token: &Token, factor: &str) -> NewRecord {
    let grant = AccessGrant {
        roles: if token.is_revoked {
            Vec::new()
        } else {
            token.roles.words()
        },
        expires: Timestamp::from_millisecond(token.expires_ms)
            .ok()
            .map(|expires| format!("{expires:.3}")),
        token: Some(token.digest),
        user: Some(token.handle.clone()),
    };
    let log = AccessLog {
        action: action.to_owned(),
        object: Some(token.id.clone()),
        allowed: true,
        reason: if token.is_revoked {
            "revoked"
        } else {
            token.factor.as_str()
        }
        .to_owned(),
        factor: factor.to_owned(),
        grant: Some(grant),
        n_events: 1,
    };
    record_of(log, format!("token:{}", token.id))
}

fn now_ms(platform: &Platform) -> i64 {
    (platform.clock)().as_millisecond()
}

fn check_name(name: &str) -> Result<(), AccessError> {
    let is_name = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS
        && !name.chars().any(|c| c == ':' || c.is_control());
    if is_name {
        Ok(())
    } else {
        Err(AccessError::Name)
    }
}

fn find(view: View<'_>, name: &str) -> Result<User, AccessError> {
    view.user_named(name)?.ok_or_else(|| AccessError::NoUser {
        name: name.to_owned(),
    })
}

/// Gives a new user roles. A user of before who has none comes back.
pub fn add_user(platform: &Platform, name: String, roles: Roles) -> Result<User, AccessError> {
    check_name(&name)?;
    let created_ms = now_ms(platform);
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            let before = work.view().user_named(&name)?;
            if before.as_ref().is_some_and(|user| !user.roles.0.is_empty()) {
                return Err(AccessError::UserExists { name });
            }
            let user = User {
                handle: work.handle_of(&name)?,
                roles,
                created_ms: before.map_or(created_ms, |user| user.created_ms),
            };
            work.commit(of_user("user.created", &user, "local"))?
                .put_user(&user)?;
            Ok(user)
        })
}

/// Gives a user other roles; none end access at once.
pub fn set_roles(platform: &Platform, name: String, roles: Roles) -> Result<User, AccessError> {
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            let before = find(work.view(), &name)?;
            let is_administrator = |user: &User| user.roles.permit(Permission::Administer);
            let n_administrators = work
                .view()
                .users()?
                .iter()
                .filter(|(user, _)| is_administrator(user))
                .count();
            let user = User {
                roles,
                ..before.clone()
            };
            if is_administrator(&before) && !is_administrator(&user) && n_administrators == 1 {
                return Err(AccessError::LastAdministrator { name });
            }
            if user != before {
                let action = if user.roles.0.is_empty() {
                    "user.removed"
                } else {
                    "user.changed"
                };
                work.commit(of_user(action, &user, "local"))?
                    .put_user(&user)?;
            }
            Ok(user)
        })
}

/// Returns every user with the name behind the handle, those whose access ended included.
pub fn users(platform: &Platform) -> Result<Vec<NamedUser>, AccessError> {
    Ok(platform.store.reading()?.view().users()?)
}

/// Returns every token, by time of issue, those included that are no longer valid.
pub fn tokens(platform: &Platform) -> Result<Vec<Token>, AccessError> {
    Ok(platform.store.reading()?.view().tokens()?)
}

/// Issues a token for a user that ends after `days`. It permits what the user's roles do and, when `roles` are given, what those do too.
pub fn issue_token(
    platform: &Platform,
    name: String,
    roles: Option<Roles>,
    days: i64,
) -> Result<IssuedToken, AccessError> {
    if !(1..=TOKEN_DAYS_LIMIT).contains(&days) {
        return Err(AccessError::Days { days });
    }
    issue(
        platform,
        name,
        roles,
        SignedDuration::from_hours(24 * days),
        "token",
    )
}

/// Begins a session of a user whom an identity provider has named.
pub fn begin_session(platform: &Platform, name: String) -> Result<IssuedToken, AccessError> {
    issue(
        platform,
        name,
        None,
        SignedDuration::from_hours(SESSION_HOURS),
        "session",
    )
}

fn issue(
    platform: &Platform,
    name: String,
    roles: Option<Roles>,
    life: SignedDuration,
    factor: &'static str,
) -> Result<IssuedToken, AccessError> {
    let mut random = [0u8; 40];
    getrandom::fill(&mut random).map_err(StoreError::Random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let (id, secret) = digits.split_at(ID_DIGITS);
    let text = format!("{TOKEN_PREFIX}{id}_{secret}");
    let (id, digest, created_ms) = (id.to_owned(), Hash::of(text.as_bytes()), now_ms(platform));
    let token = platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            let user = find(work.view(), &name)?;
            if user.roles.0.is_empty() {
                return Err(AccessError::NoUser { name });
            }
            let roles = roles.unwrap_or_else(|| user.roles.clone());
            let expires_ms = created_ms + life.as_millis() as i64;
            let factor = factor.to_owned();
            let token = Token {
                id,
                handle: user.handle,
                digest,
                roles,
                factor,
                created_ms,
                expires_ms,
                is_revoked: false,
            };
            let action = if token.factor == "session" {
                "login"
            } else {
                "token.issued"
            };
            work.commit(of_token(
                action,
                &token,
                if action == "login" { "oidc" } else { "local" },
            ))?
            .put_token(&token)?;
            Ok(token)
        })?;
    Ok(IssuedToken { token, text })
}

/// Ends a token at once; ending it again does nothing.
pub fn revoke_token(platform: &Platform, id: String) -> Result<Token, AccessError> {
    platform
        .store
        .transaction(&platform.actor, &platform.now())
        .work(move |work| {
            let mut token = work.view().token(&id)?.ok_or(AccessError::NoToken { id })?;
            if !token.is_revoked {
                token.is_revoked = true;
                work.commit(of_token("token.revoked", &token, &token.factor))?
                    .put_token(&token)?;
            }
            Ok(token)
        })
}

/// Why a request is refused for who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Denial {
    /// The request has no token.
    NoToken,
    /// The text is not that of a token.
    Unknown,
    /// The token is past the end of its validity.
    Expired,
    /// The token was revoked before its end.
    Revoked,
    /// The user of the token has no role any more, or was erased.
    NoRoles,
    /// The caller is known and may not do this.
    NotPermitted,
}

impl Denial {
    /// Returns the reason as it is recorded.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoToken => "no token was shown",
            Self::Unknown => "the token is unknown",
            Self::Expired => "the token has ended",
            Self::Revoked => "the token was revoked",
            Self::NoRoles => "the user has no role",
            Self::NotPermitted => "no role of the caller permits it",
        }
    }
}

/// Returns whose token this is.
pub fn authenticate(
    platform: &Platform,
    text: &str,
) -> Result<Result<(Caller, Token), Denial>, StoreError> {
    if !text.starts_with(TOKEN_PREFIX) {
        return Ok(Err(Denial::Unknown));
    }
    let reading = platform.store.reading()?;
    let Some(token) = reading.view().token_of_digest(Hash::of(text.as_bytes()))? else {
        return Ok(Err(Denial::Unknown));
    };
    if token.is_revoked {
        return Ok(Err(Denial::Revoked));
    }
    if token.expires_ms <= now_ms(platform) {
        return Ok(Err(Denial::Expired));
    }
    let Some((user, Some(name))) = reading.view().user(&token.handle)? else {
        return Ok(Err(Denial::NoRoles));
    };
    if user.roles.0.is_empty() {
        return Ok(Err(Denial::NoRoles));
    }
    let caller = Caller {
        name,
        roles: user.roles,
        limited_to: token.roles.clone(),
        factor: token.factor.clone(),
    };
    Ok(Ok((caller, token)))
}

/// A request that was refused, as it is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Method and pattern of the path; nothing that the caller chose.
    pub action: String,
    /// The reason for the refusal.
    pub denial: Denial,
    /// The caller whose token was valid; `None` when the caller is not known.
    pub caller: Option<Caller>,
    /// Refusals like it since the last that was recorded, this one included.
    pub n_events: u64,
}

/// Commits a record of a refusal, in the name of the caller or of `anonymous`.
pub fn record_refusal(platform: &Platform, refused: Refused) -> Result<(), StoreError> {
    let factor = refused
        .caller
        .as_ref()
        .map_or("none", |caller| caller.factor.as_str())
        .to_owned();
    let log = AccessLog {
        action: refused.action,
        object: None,
        allowed: false,
        reason: refused.denial.word().to_owned(),
        factor,
        grant: None,
        n_events: refused.n_events,
    };
    let actor = refused
        .caller
        .map_or_else(|| "anonymous".to_owned(), |caller| caller.name);
    platform
        .store
        .transaction(&actor, &platform.now())
        .commit(record_of(log, "access".to_owned()))?;
    Ok(())
}

/// Says whether users and tokens are what the ledger says of them: what each is, as it would be recorded.
pub(crate) fn grant_now(
    view: View<'_>,
    body: &AccessLog,
) -> Result<Option<AccessGrant>, StoreError> {
    let Some(object) = &body.object else {
        return Ok(None);
    };
    let is_of_token = body
        .grant
        .as_ref()
        .is_some_and(|grant| grant.token.is_some());
    let now = if is_of_token {
        view.token(object)?
            .map(|token| of_token(&body.action, &token, &body.factor))
    } else {
        view.user(object)?
            .map(|(user, _)| of_user(&body.action, &user, &body.factor))
    };
    Ok(now.and_then(|new| match new.record {
        Record::AccessLog(now) => now.grant,
        _ => None,
    }))
}

/// Returns whether there was ever a user.
pub fn has_users(store: &Store) -> Result<bool, StoreError> {
    store.reading()?.view().has_users()
}
