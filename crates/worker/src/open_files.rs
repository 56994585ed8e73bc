//! How many connections the process may hold: each is an open file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections at the webhook listener, if the system allows this many.
const MOST_CONNECTIONS: usize = 8192;
/// Files that are not for the webhook listener: the database, requests to providers, the dashboard, logs.
const OTHER_FILES: usize = 512;

/// Raises the process's limit of open files as far as possible. Returns how many files the webhook listener may use.
#[must_use]
pub fn for_webhooks() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = setrlimit(Resource::Nofile, raised);
    share(getrlimit(Resource::Nofile).current)
}

/// `None` is no limit.
fn share(files: Option<u64>) -> usize {
    let files = files.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    files.saturating_sub(OTHER_FILES).clamp(files.min(2 * OTHER_FILES) / 2, MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_listener_leaves_files_for_the_rest() {
        for (files, connections) in [
            (Some(256), 128),
            (Some(1024), 512),
            (Some(4096), 3584),
            (Some(524_288), 8192),
            (None, 8192),
        ] {
            assert_eq!(share(files), connections, "{files:?}");
        }
    }
}
