//! Sessions of browsers that logged in. The server ends them: at the logout, after a time, and when the process ends.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobs::Timestamp;
use sha2::{Digest, Sha256};

use super::visitor::Visitor;

/// How long a session lasts: a working day.
pub const LIFE: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once; beyond it the oldest ends.
const MOST: usize = 1_000;

/// The hash that is kept in place of a session's secret.
type Hash = [u8; 32];

/// All sessions of this process.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Hash, Session>>);

struct Session {
    visitor: Visitor,
    ends: Timestamp,
}

impl Sessions {
    /// Begins a session. Returns the secret that its cookie holds.
    pub(crate) fn begin(&self, visitor: Visitor, now: Timestamp) -> String {
        let secret: [u8; 32] = rand::random();
        let secret = secret.iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let mut sessions = self.lock();
        sessions.retain(|_, session| now < session.ends);
        if sessions.len() >= MOST
            && let Some(oldest) =
                sessions.iter().min_by_key(|(_, session)| session.ends).map(|(hash, _)| *hash)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(hash(&secret), Session { visitor, ends: now + LIFE });
        secret
    }

    /// Returns the visitor of a session that has not ended.
    pub(crate) fn find(&self, secret: &str, now: Timestamp) -> Option<Visitor> {
        let sessions = self.lock();
        let session = sessions.get(&hash(secret)).filter(|session| now < session.ends);
        session.map(|session| session.visitor.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, secret: &str) {
        self.lock().remove(&hash(secret));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sessions are looked up by the hash of their secret, so that the time of a look-up reveals nothing about the secret.
fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::access::roles::Role;

    fn visitor(name: &str) -> Visitor {
        Visitor { name: name.into(), role: Role::Viewer, logged_in: true }
    }

    #[test]
    fn a_session_lasts_until_its_end_and_no_longer() {
        let (sessions, start) = (Sessions::default(), Timestamp(1_000));
        let secret = sessions.begin(visitor("ada"), start);
        let name = |at| sessions.find(&secret, at).map(|visitor| visitor.name.to_string());
        assert_eq!(name(start).as_deref(), Some("ada"));
        assert_eq!(name(start + LIFE - Duration::from_millis(1)).as_deref(), Some("ada"));
        assert_eq!(name(start + LIFE), None);
        assert!(sessions.find("0", start).is_none() && sessions.find("", start).is_none());
    }

    #[test]
    fn a_session_ends_by_itself_alone() {
        let (sessions, now) = (Sessions::default(), Timestamp(0));
        let (ada, bob) = (sessions.begin(visitor("ada"), now), sessions.begin(visitor("bob"), now));
        assert_ne!(ada, bob);
        sessions.end(&ada);
        assert!(sessions.find(&ada, now).is_none() && sessions.find(&bob, now).is_some());
    }

    #[test]
    fn there_are_so_many_at_once() {
        let sessions = Sessions::default();
        let first = sessions.begin(visitor("first"), Timestamp(0));
        for n in 1..=MOST as i64 {
            sessions.begin(visitor("later"), Timestamp(n));
        }
        assert_eq!(sessions.lock().len(), MOST);
        assert!(sessions.find(&first, Timestamp(1)).is_none());
    }
}
