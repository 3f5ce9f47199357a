//! `veracta token`: what clients show to say who they are.

use jiff::Timestamp;
use serde_json::{Value, json};
use veracta_governance::access::Roles;
use veracta_store::Platform;
use veracta_store::access::Token;
use veracta_tracking::access::{issue_token, revoke_token, tokens, users};

use crate::args::{Args, Format, TokenAction};
use crate::output::{Answer, print, print_json, tell};

pub(super) fn execute(args: &Args, action: &TokenAction) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    match action {
        TokenAction::Issue { name, role, days } => {
            let roles = (!role.is_empty()).then(|| Roles(role.iter().copied().collect()));
            let issued = issue_token(&platform, name.clone(), roles, *days)?;
            let mut value = as_json(&issued.token, Some(name));
            value["token"] = json!(issued.text);
            let text = format!("{}\n", issued.text);
            if args.format == Format::Json {
                print_json(&value)?;
            } else {
                // Only the token itself goes to the standard output, so that a script can keep it.
                tell(&format!(
                    "note: for `{name}`, as {}, until {}; it is not shown again",
                    issued.token.roles,
                    date(issued.token.expires_ms)
                ));
                print(&text)?;
            }
        }
        TokenAction::Revoke { id } => {
            // A whole token is taken too: whoever has to revoke one may have nothing else.
            let id = id
                .trim_start_matches("veracta_")
                .split('_')
                .next()
                .unwrap_or_default();
            let token = revoke_token(&platform, id.to_owned())?;
            match args.format {
                Format::Json => print_json(&as_json(&token, None))?,
                Format::Human | Format::Html | Format::Md => {
                    print(&format!("Token {} is revoked.\n", token.id))?
                }
            }
        }
        TokenAction::List => list(args, &platform)?,
    }
    Ok(Answer::Yes)
}

fn list(args: &Args, platform: &Platform) -> anyhow::Result<()> {
    let names = users(platform)?;
    let name_of = |handle: &str| {
        let found = names.iter().find(|(user, _)| user.handle == handle);
        found.and_then(|(_, name)| name.clone())
    };
    let now_ms = Timestamp::now().as_millisecond();
    let all = tokens(platform)?;
    if args.format == Format::Json {
        let value = |token: &Token| as_json(token, name_of(&token.handle).as_deref());
        return print_json(&all.iter().map(value).collect::<Vec<_>>());
    }
    let line = |token: &Token| {
        let state = if token.is_revoked {
            "revoked".to_owned()
        } else if token.expires_ms <= now_ms {
            format!("ended {}", date(token.expires_ms))
        } else {
            format!("until {}", date(token.expires_ms))
        };
        let name = name_of(&token.handle).unwrap_or_else(|| "(erased)".to_owned());
        format!(
            "{}  {:<7}  {name:<32}  {}  {state}\n",
            token.id, token.factor, token.roles
        )
    };
    print(&all.iter().map(line).collect::<String>())
}

fn date(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| "the end of time".to_owned(),
        |time| format!("{time:.0}"),
    )
}

fn as_json(token: &Token, name: Option<&str>) -> Value {
    json!({
        "id": token.id,
        "user": name,
        "roles": token.roles.words(),
        "kind": token.factor,
        "expires": date(token.expires_ms),
        "revoked": token.is_revoked,
    })
}
