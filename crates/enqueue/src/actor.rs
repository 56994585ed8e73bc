use std::os::unix::fs::MetadataExt;

use store::{Actor, Origin};

/// Returns the operating system's user who runs this command, for the audit log. Under sudo the person who ran sudo
/// is named, too: many people may share the user that owns the ledger.
pub fn current() -> Actor {
    // The folder belongs to the user that the process runs as; no variable can say otherwise.
    let uid = std::fs::metadata("/proc/self").map(|folder| folder.uid()).ok();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let sudo = std::env::var("SUDO_USER").ok();
    Actor::new(Origin::Enqueue, &described(uid, &passwd, sudo.as_deref()), None)
}

fn described(uid: Option<u32>, passwd: &str, sudo: Option<&str>) -> String {
    let user = match uid {
        Some(uid) => name_of(uid, passwd).map_or_else(|| format!("uid {uid}"), str::to_owned),
        None => "unknown".to_owned(),
    };
    match sudo.filter(|before| !before.is_empty() && *before != user) {
        Some(before) => format!("{before} as {user}"),
        None => user,
    }
}

/// Finds the user's name in the lines of `/etc/passwd`: `name:x:uid:…`.
fn name_of(uid: u32, passwd: &str) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        (parts.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::described;

    #[test]
    fn an_actor_is_the_operating_systems_user() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n\nqueue:x:998:998::/var/lib/queue:/bin/false\n";
        for (uid, sudo, actor) in [
            (Some(0), None, "root"),
            (Some(998), Some(""), "queue"),
            (Some(998), Some("ada"), "ada as queue"),
            (Some(998), Some("queue"), "queue"),
            (Some(65532), None, "uid 65532"),
            (None, None, "unknown"),
        ] {
            assert_eq!(described(uid, passwd, sudo), actor);
        }
    }
}
