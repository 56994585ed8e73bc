use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::routing::any;
use futures::executor::block_on;
use jobs::{Provider, Timestamp};
use providers::Signer;
use providers::signature::{DatedSecret, ROUTE};
use secrecy::SecretString;
use tower_service::Service;
use url::Url;

use crate::choices::Choices;

const CALL: &str = "01JC3V6Z5W8Q9R2T4Y6V8J0P1A";

static SIGNER: LazyLock<Signer> = LazyLock::new(|| {
    let secret = |text: &str, made_at| DatedSecret {
        secret: SecretString::from(format!("a secret of a fuzzer: {text}")),
        made_at: Timestamp(made_at),
    };
    let secrets = [secret("new", 1_900_000_000_000), secret("old", 1_000_000_000_000)];
    Signer::new(&secrets, Timestamp(2_000_000_000_000)).expect("secrets of enough bytes")
});

/// The paths of a call's webhook address at both providers.
static SIGNED: LazyLock<[String; 2]> = LazyLock::new(|| {
    let base = Url::parse("https://hooks.example.com").expect("a base");
    [Provider::Ocean, Provider::Clodura].map(|provider| {
        let url = SIGNER.webhook_url(&base, provider, CALL);
        url.strip_prefix("https://hooks.example.com").expect("behind the base").to_owned()
    })
});

/// A signed path that was tampered with never verifies: a path that verifies is the signed one, or another writing of it.
pub(crate) fn holds(data: &[u8]) {
    let tampered = tampered(data);
    // Not every text can be requested, and a query is not part of the path.
    let Ok(request) = Request::get(&tampered).body(Body::empty()) else { return };
    let path = request.uri().path().to_owned();
    let verified = verifies(request);
    if SIGNED.contains(&path) {
        assert!(verified, "the signed path is not taken");
    } else if verified {
        let plain = String::from_utf8_lossy(&percent_decoded(&path)).into_owned();
        assert!(
            SIGNED.iter().any(|signed| is_same(signed, &plain)),
            "{tampered} is not what was signed"
        );
    }
}

/// A provider's name may be written in capitals.
fn is_same(signed: &str, path: &str) -> bool {
    let parts = |path: &str| {
        let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        parts
            .get_mut(2)
            .into_iter()
            .for_each(|provider| *provider = provider.trim().to_ascii_lowercase());
        parts
    };
    parts(signed) == parts(path)
}

/// A signed path with some of its bytes replaced, taken out or put in.
fn tampered(data: &[u8]) -> String {
    let mut choices = Choices(data);
    let mut path = SIGNED[choices.below(2)].clone().into_bytes();
    while !choices.0.is_empty() {
        let at = choices.below(256).min(path.len());
        match choices.below(4) {
            0 => path.insert(at, choices.below(256) as u8),
            1 if at < path.len() => path[at] = choices.below(256) as u8,
            2 if at < path.len() => drop(path.remove(at)),
            _ => {
                let text = choices.text();
                path.splice(at..at, text.bytes());
            }
        }
    }
    String::from_utf8_lossy(&path).into_owned()
}

/// Whether the listener would accept the request.
fn verifies(request: Request<Body>) -> bool {
    let taken = |Path((provider, call_id, signature)): Path<(String, String, String)>| async move {
        let verified = provider
            .parse()
            .is_ok_and(|provider: Provider| SIGNER.verify(provider, &call_id, &signature));
        if verified { StatusCode::OK } else { StatusCode::NOT_FOUND }
    };
    let mut router: Router = Router::new().route(ROUTE, any(taken));
    let response = block_on(router.call(request));
    response.is_ok_and(|response| response.status() == StatusCode::OK)
}

fn percent_decoded(path: &str) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match escaped.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                plain.push(byte);
                rest = &after[2..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}
