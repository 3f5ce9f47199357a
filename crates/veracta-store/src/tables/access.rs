//! Users and their tokens.

use veracta_governance::access::Roles;
use veracta_ledger::Hash;

use crate::StoreError;
use crate::access::{Token, User};
use crate::database::Row;
use crate::work::{Recorded, View, Work};

const TOKEN_COLUMNS: &str =
    "token_id, handle, digest, roles, factor, created_ms, expires_ms, is_revoked";

fn roles(words: &str, column: usize) -> Result<Roles, StoreError> {
    words
        .parse()
        .map_err(|_| StoreError::MalformedRow { column })
}

fn read_user(row: &mut Row) -> Result<User, StoreError> {
    Ok(User {
        handle: row.text(0)?,
        roles: roles(&row.text(1)?, 1)?,
        created_ms: row.integer(2)?,
    })
}

fn read_token(row: &mut Row) -> Result<Token, StoreError> {
    Ok(Token {
        id: row.text(0)?,
        handle: row.text(1)?,
        digest: Hash(
            row.bytes(2)?
                .try_into()
                .map_err(|_| StoreError::MalformedRow { column: 2 })?,
        ),
        roles: roles(&row.text(3)?, 3)?,
        factor: row.text(4)?,
        created_ms: row.integer(5)?,
        expires_ms: row.integer(6)?,
        is_revoked: row.integer(7)? != 0,
    })
}

impl View<'_> {
    /// Returns every user with the name behind the handle, where it was not erased, by time of creation.
    pub fn users(&self) -> Result<Vec<(User, Option<String>)>, StoreError> {
        let sql = "SELECT users.handle, roles, created_ms, name FROM users LEFT JOIN actors ON actors.handle = users.handle
                   ORDER BY created_ms, users.handle";
        self.db
            .rows(sql, &[])?
            .iter_mut()
            .map(|row| Ok((read_user(row)?, row.text_or_null(3)?)))
            .collect()
    }

    /// Returns the user with a name.
    pub fn user_named(&self, name: &str) -> Result<Option<User>, StoreError> {
        let sql = "SELECT users.handle, roles, created_ms FROM users JOIN actors ON actors.handle = users.handle WHERE name = $1";
        self.db
            .row(sql, &[name.into()])?
            .map(|mut row| read_user(&mut row))
            .transpose()
    }

    /// Returns the user behind a handle, and the name.
    pub fn user(&self, handle: &str) -> Result<Option<(User, Option<String>)>, StoreError> {
        let sql = "SELECT users.handle, roles, created_ms, name FROM users LEFT JOIN actors ON actors.handle = users.handle
                   WHERE users.handle = $1";
        self.db
            .row(sql, &[handle.into()])?
            .map(|mut row| Ok((read_user(&mut row)?, row.text_or_null(3)?)))
            .transpose()
    }

    /// Returns whether there was ever a user: without one, a server on this machine's own address asks nobody who they are.
    pub fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self
            .db
            .row("SELECT handle FROM users LIMIT 1", &[])?
            .is_some())
    }

    /// Returns the token whose text has a digest.
    pub fn token_of_digest(&self, digest: Hash) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {TOKEN_COLUMNS} FROM tokens WHERE digest = $1");
        self.db
            .row(&sql, &[digest.0.as_slice().into()])?
            .map(|mut row| read_token(&mut row))
            .transpose()
    }

    /// Returns the token with that id, valid or not; `None` when there is none.
    pub fn token(&self, id: &str) -> Result<Option<Token>, StoreError> {
        let sql = format!("SELECT {TOKEN_COLUMNS} FROM tokens WHERE token_id = $1");
        self.db
            .row(&sql, &[id.into()])?
            .map(|mut row| read_token(&mut row))
            .transpose()
    }

    /// Returns every token, by time of issue.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        let sql = format!("SELECT {TOKEN_COLUMNS} FROM tokens ORDER BY created_ms, token_id");
        self.db
            .rows(&sql, &[])?
            .iter_mut()
            .map(read_token)
            .collect()
    }
}

impl Work<'_> {
    /// Returns the handle that stands for a name in the ledger, made on first use.
    pub fn handle_of(&self, name: &str) -> Result<String, StoreError> {
        super::actors::handle_of(self.view().db, name)
    }
}

impl Recorded<'_> {
    /// Adds a user, or changes the roles of one.
    pub fn put_user(&self, user: &User) -> Result<(), StoreError> {
        let row = vec![
            (&user.handle).into(),
            user.roles.to_string().into(),
            user.created_ms.into(),
        ];
        let tail = "ON CONFLICT (handle) DO UPDATE SET roles = excluded.roles";
        self.db
            .insert(
                "INSERT INTO users (handle, roles, created_ms)",
                tail,
                &[row],
            )
            .map(|_| ())
    }

    /// Adds a token, or revokes one.
    pub fn put_token(&self, token: &Token) -> Result<(), StoreError> {
        let row = vec![
            (&token.id).into(),
            (&token.handle).into(),
            token.digest.0.as_slice().into(),
            token.roles.to_string().into(),
            (&token.factor).into(),
            token.created_ms.into(),
            token.expires_ms.into(),
            i64::from(token.is_revoked).into(),
        ];
        let tail = "ON CONFLICT (token_id) DO UPDATE SET is_revoked = excluded.is_revoked";
        self.db
            .insert(
                &format!("INSERT INTO tokens ({TOKEN_COLUMNS})"),
                tail,
                &[row],
            )
            .map(|_| ())
    }
}
