//! `veracta user`: who may use the server.

use serde_json::json;
use veracta_governance::access::{Role, Roles};
use veracta_store::access::User;
use veracta_tracking::access::{NamedUser, add_user, set_roles, users};

use crate::args::{Args, Format, UserAction};
use crate::output::{Answer, print, print_json};

pub(super) fn execute(args: &Args, action: &UserAction) -> anyhow::Result<Answer> {
    let platform = super::platform(args)?;
    match action {
        UserAction::Add { name, role } => {
            let user = add_user(&platform, name.clone(), roles(role))?;
            told(
                args,
                name,
                &user,
                &format!(
                    "Added `{name}` ({}). Give them a token: veracta token issue '{name}'\n",
                    user.roles
                ),
            )
        }
        UserAction::Roles { name, role } => {
            let user = set_roles(&platform, name.clone(), roles(role))?;
            told(
                args,
                name,
                &user,
                &format!("`{name}` is now {}.\n", user.roles),
            )
        }
        UserAction::Remove { name } => {
            let user = set_roles(&platform, name.clone(), Roles::default())?;
            told(
                args,
                name,
                &user,
                &format!("`{name}` has no access any more. What they did stays on record.\n"),
            )
        }
        UserAction::List => list(args, &users(&platform)?),
    }
}

fn roles(role: &[Role]) -> Roles {
    Roles(role.iter().copied().collect())
}

fn as_json(name: Option<&str>, user: &User) -> serde_json::Value {
    json!({ "name": name, "handle": user.handle, "roles": user.roles.words() })
}

fn told(args: &Args, name: &str, user: &User, text: &str) -> anyhow::Result<Answer> {
    match args.format {
        Format::Json => print_json(&as_json(Some(name), user))?,
        Format::Human | Format::Html | Format::Md => print(text)?,
    }
    Ok(Answer::Yes)
}

fn list(args: &Args, users: &[NamedUser]) -> anyhow::Result<Answer> {
    if args.format == Format::Json {
        print_json(
            &users
                .iter()
                .map(|(user, name)| as_json(name.as_deref(), user))
                .collect::<Vec<_>>(),
        )?;
        return Ok(Answer::Yes);
    }
    if users.is_empty() {
        print(
            "There are no users: `veracta serve` answers on this machine's own address only, and asks nobody who they are.\n",
        )?;
        return Ok(Answer::Yes);
    }
    let line = |(user, name): &NamedUser| {
        let roles = if user.roles.0.is_empty() {
            "no access".to_owned()
        } else {
            user.roles.to_string()
        };
        format!(
            "{:<32}  {roles}  {}\n",
            name.as_deref().unwrap_or("(erased)"),
            user.handle
        )
    };
    print(&users.iter().map(line).collect::<String>())?;
    Ok(Answer::Yes)
}
