//! Who may do what: roles, what each permits, and how they are written.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The right that a request needs; a role permits some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Nothing: anybody may ask, known or not.
    Public,
    /// To read what is tracked and registered.
    Read,
    /// To change experiments, runs, logged models and their files.
    Track,
    /// To describe and tag what is registered.
    Annotate,
    /// To register models and versions, and to remove them.
    Register,
    /// To say which version is in use: aliases and stages.
    Promote,
    /// To erase a run with its values and files, so that only digests remain in the ledger.
    Erase,
    /// To read who did and was refused what.
    Audit,
    /// To manage users, tokens and where events are sent.
    Administer,
}

/// A role of a user; a user may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads what is tracked and registered, and changes nothing.
    Viewer,
    /// Trains models, logs runs and registers versions, and does not say which version is in use.
    Engineer,
    /// Measures what others trained, and notes what was found.
    Validator,
    /// Says which version is in use: sets aliases and stages, and does not register versions.
    Approver,
    /// Answers for personal data (GDPR Articles 37 to 39).
    DataProtectionOfficer,
    /// Reads everything, including who did or was refused what, and changes nothing.
    Auditor,
    /// Manages who may do what, and nothing else.
    Administrator,
}

impl Role {
    /// Every role, in the order in which [`UnknownRole`] lists them.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Engineer,
        Self::Validator,
        Self::Approver,
        Self::DataProtectionOfficer,
        Self::Auditor,
        Self::Administrator,
    ];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Engineer => "engineer",
            Self::Validator => "validator",
            Self::Approver => "approver",
            Self::DataProtectionOfficer => "data-protection-officer",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// Returns the permissions that somebody with this role has.
    ///
    /// Who registers a version does not put it to use, and who manages users does neither: duties are separate unless somebody is given both
    /// roles.
    pub(crate) fn permissions(self) -> &'static [Permission] {
        use Permission::{
            Administer, Annotate, Audit, Erase, Promote, Public, Read, Register, Track,
        };
        match self {
            Self::Viewer => &[Public, Read],
            Self::Engineer => &[Public, Read, Track, Annotate, Register],
            Self::Validator => &[Public, Read, Track, Annotate],
            Self::Approver => &[Public, Read, Annotate, Promote],
            Self::DataProtectionOfficer => &[Public, Read, Erase, Audit],
            Self::Auditor => &[Public, Read, Audit],
            Self::Administrator => &[Public, Read, Administer],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that is not the name of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is no role; there are viewer, engineer, validator, approver, data-protection-officer, auditor and administrator"
)]
pub struct UnknownRole {
    /// The word that was given instead of the name of a role.
    pub word: String,
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == word)
            .ok_or_else(|| UnknownRole {
                word: word.to_owned(),
            })
    }
}

/// The roles of a user, or those a token is limited to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Roles(pub BTreeSet<Role>);

impl Roles {
    /// Every role: of whoever works on an own machine, where there are no accounts.
    pub fn all() -> Self {
        Self(Role::ALL.into_iter().collect())
    }

    /// Returns whether one of them permits it.
    pub fn permit(&self, needed: Permission) -> bool {
        needed == Permission::Public
            || self
                .0
                .iter()
                .any(|role| role.permissions().contains(&needed))
    }

    /// Returns the words of the roles, in the order of [`Role::ALL`].
    pub fn words(&self) -> Vec<String> {
        self.0.iter().map(|role| role.word().to_owned()).collect()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(","))
    }
}

impl FromStr for Roles {
    type Err = UnknownRole;

    fn from_str(words: &str) -> Result<Self, UnknownRole> {
        words
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(Role::from_str)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_are_separate() {
        for role in Role::ALL {
            let roles = Roles(BTreeSet::from([role]));
            assert!(
                roles.permit(Permission::Public) && roles.permit(Permission::Read),
                "{role}"
            );
            let duties = [
                Permission::Register,
                Permission::Promote,
                Permission::Erase,
                Permission::Administer,
            ];
            let n_duties = duties
                .into_iter()
                .filter(|duty| roles.permit(*duty))
                .count();
            assert!(
                n_duties <= 1,
                "{role} has {n_duties} of the duties that are kept apart"
            );
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert!(
            !Roles::default().permit(Permission::Read),
            "who has no role reads nothing"
        );
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        let roles = "viewer, engineer"
            .parse::<Roles>()
            .map(|roles| roles.to_string());
        assert_eq!(roles.as_deref(), Ok("viewer,engineer"));
        assert!("root".parse::<Roles>().is_err());
    }
}
