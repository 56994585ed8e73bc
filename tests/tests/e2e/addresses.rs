//! Webhook addresses that have leaked: how much memory their bodies can take, and how the secret is replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use end_to_end::{Kind, LONG, Proxy, Row, Scene, Worker, eventually, get, post};
use jobs::{Provider, Timestamp};
use providers::Signer;
use providers::signature::DatedSecret;
use sandbox::Config;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::checks::{equals_expected, no_row};

on_both!(many_large_bodies_fit_in_memory, a_secret_is_replaced_while_calls_are_out);

/// A worker with one call out, whose webhook is held back.
struct Out {
    scene: Scene,
    worker: Worker,
    batch: String,
    tap: Proxy,
}

fn people(from: u32) -> Vec<Row> {
    (from..from + 3).map(|n| Row::ocean(format!("found-{n}"))).collect()
}

async fn out(kind: Kind) -> Out {
    let mut scene = Scene::new(kind, Config::instant()).await;
    let tap = Proxy::start(scene.sandbox.local_addr().to_string()).await;
    scene.set("OCEAN_BASE_URL", format!("http://{}", tap.address));
    scene.set("HEARTBEAT_TIMEOUT", "1s");
    scene.sandbox.hold_webhooks();
    let batch = scene.submit(&people(0), &[]).await.id;
    let worker = scene.worker().start().await;
    assert!(scene.sandbox.wait_for(LONG, |s| s.held == 1).await);
    scene.until("SELECT awaiting FROM batch_status", "3").await;
    Out { scene, worker, batch, tap }
}

impl Out {
    /// The addresses of all calls, the oldest first.
    fn urls(&self) -> Vec<String> {
        let mut urls: Vec<String> = self.tap.orders().into_iter().map(|(_, url)| url).collect();
        // A call's id begins with its time.
        urls.sort_unstable();
        urls
    }
}

/// Whether an address is signed with this secret.
fn signed_by(url: &str, secret: &str) -> bool {
    let made_at = Timestamp(0);
    let secret = DatedSecret { secret: SecretString::from(secret), made_at };
    let signer = Signer::new(&[secret], made_at).unwrap();
    let mut parts = url.rsplit('/');
    let (signature, call) = (parts.next().unwrap(), parts.next().unwrap());
    signer.verify(Provider::Ocean, call, signature)
}

/// The most memory that a process held, in MB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Sends a body as far as the server reads it; returns the status, unless the connection was broken off.
async fn send(address: &str, path: &str, body: &[u8]) -> Option<u16> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let socket = TcpSocket::new_v4().ok()?;
    // A small buffer, because a thousand large ones could use up the system's memory for TCP.
    socket.set_send_buffer_size(64 * 1024).ok()?;
    let mut stream = socket.connect(address.parse().ok()?).await.ok()?;
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).split(' ').nth(1)?.parse().ok()
}

/// A body of almost 4 MiB: a list of `several` values, and a text.
fn large(value: &str, several: usize) -> Arc<[u8]> {
    let list = vec![value; several].join(",");
    let text = "x".repeat((4 << 20) - 100 - list.len());
    format!(r#"{{"phones": [], "more": [{list}], "text": "{text}"}}"#).into_bytes().into()
}

async fn many_large_bodies_fit_in_memory(kind: Kind) {
    let out = out(kind).await;
    let url = out.urls().remove(0);
    let address = out.worker.webhooks.clone();
    let path = url.split_once(&address).unwrap().1.to_owned();
    // Objects of one field take the most memory for their text.
    let nested = format!("{}0{}", r#"{"":"#.repeat(100), "}".repeat(100));
    let bodies =
        [(large(&nested, 175), 200), (large(&nested, 6_900), 422), (large("1", 2_000_000), 422)];
    let (address, path) = (Arc::new(address), Arc::new(path));
    let clients: Vec<_> = (0..1_000)
        .map(|client| {
            let (address, path) = (Arc::clone(&address), Arc::clone(&path));
            let (body, _) = &bodies[client % bodies.len()];
            let body = Arc::clone(body);
            tokio::spawn(async move { send(&address, &path, &body).await })
        })
        .collect();
    // A usual body is accepted at the same time.
    let usual = json!({"phones": [{"personId": "found-0", "status": "inProgress"}]}).to_string();
    let reply = tokio::time::timeout(LONG, post(&url, usual.as_bytes())).await.expect("an answer");
    assert_eq!(reply.status, 200);
    let mut answers = BTreeMap::new();
    for client in clients {
        *answers.entry(client.await.unwrap()).or_insert(0) += 1;
    }
    let expected = [None, Some(200), Some(408), Some(422), Some(429), Some(503)];
    assert!(answers.keys().all(|status| expected.contains(status)), "{answers:?}");
    assert!(answers.contains_key(&Some(200)), "some are taken: {answers:?}");
    for (body, status) in &bodies {
        let reply = send(&address, &path, body).await;
        assert_eq!(reply, Some(*status), "there is room again: {answers:?}");
    }
    let most = peak(out.worker.process.id());
    assert!(most < 200, "it held {most} MB: {answers:?}");
    out.scene.sandbox.release_webhooks();
    out.scene.until_finished().await;
    out.worker.stop().await.with_code(0);
    equals_expected(&out.scene, &out.batch, &people(0), no_row).await;
}

async fn a_secret_is_replaced_while_calls_are_out(kind: Kind) {
    let out = out(kind).await;
    let old = out.urls().remove(0);
    let rotated = out.scene.enqueue(&["rotate", "webhook-secret"]).await.with_code(0);
    assert!(rotated.stderr.contains("In a minute"), "{}", rotated.stderr);
    assert_eq!(out.scene.db.int("SELECT COUNT(*) FROM audit_log WHERE action = 'rotate'").await, 1);
    // Two minutes pass, for the secrets only.
    out.scene
        .db
        .rows("UPDATE secrets SET created_at = created_at - 120000 WHERE purpose = 'webhook'")
        .await;
    // A worker reads the secrets with each heartbeat: after two heartbeats it has read them.
    for _ in 0..2 {
        let alive = "SELECT heartbeat_at FROM workers";
        let before = out.scene.db.int(alive).await;
        eventually("a sign of life", || async {
            (out.scene.db.int(alive).await > before).then_some(())
        })
        .await;
    }
    let more = out.scene.submit(&people(10), &[]).await.id;
    assert!(out.scene.sandbox.wait_for(LONG, |s| s.held == 2).await);
    let new = out.urls().remove(1);
    let secrets = "SELECT secret FROM secrets WHERE purpose = 'webhook' ORDER BY id DESC";
    let secrets = out.scene.db.column(secrets).await;
    assert_eq!([signed_by(&new, &secrets[0]), signed_by(&old, &secrets[1])], [true; 2]);
    for url in [&old, &new] {
        let path = url.split_once(&out.worker.webhooks).unwrap().1;
        assert_eq!(get(&out.worker.webhooks, path).await.status, 200, "{url}");
    }
    out.scene.sandbox.release_webhooks();
    out.scene.until_finished().await;
    out.worker.stop().await.with_code(0);
    for (batch, from) in [(&out.batch, 0), (&more, 10)] {
        equals_expected(&out.scene, batch, &people(from), no_row).await;
    }
}
