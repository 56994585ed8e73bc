//! A wire between two processes that can be cut, mended and listened to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to `target`.
pub struct Proxy {
    /// Where it listens.
    pub address: String,
    cut: watch::Sender<bool>,
    heard: Arc<Mutex<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts passing on.
    pub async fn start(target: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let cut = watch::Sender::new(false);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (state, ears) = (cut.subscribe(), Arc::clone(&heard));
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // While it is cut, who connects is hung up on.
                if !*state.borrow() {
                    let (target, state, ears) = (target.clone(), state.clone(), Arc::clone(&ears));
                    tokio::spawn(pass_on(near, target, state, ears));
                }
            }
        });
        Proxy { address, cut, heard, accepting }
    }

    /// Breaks all connections, and every new one.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }

    /// The orders that went by to Ocean: whom they name, and the address for the webhook.
    pub fn orders(&self) -> Vec<(Vec<String>, String)> {
        let heard = self.heard.lock().expect("no task panics");
        let text = String::from_utf8_lossy(&heard);
        let order = |rest: &str| {
            let body = format!("{{\"personIds\":{}", rest.split_once('}')?.0) + "}";
            let body: serde_json::Value = serde_json::from_str(&body).ok()?;
            let people = body["personIds"].as_array()?.iter();
            let people = people.filter_map(|id| Some(id.as_str()?.to_owned())).collect();
            Some((people, body["webhookUrl"].as_str()?.to_owned()))
        };
        text.split("{\"personIds\":").skip(1).filter_map(order).collect()
    }
}

async fn pass_on(
    near: TcpStream,
    target: String,
    mut cut: watch::Receiver<bool>,
    ears: Arc<Mutex<Vec<u8>>>,
) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let forth = async {
        let mut chunk = [0; 16384];
        while let Ok(n @ 1..) = from_near.read(&mut chunk).await {
            ears.lock().expect("no task panics").extend_from_slice(&chunk[..n]);
            if to_far.write_all(&chunk[..n]).await.is_err() {
                break;
            }
        }
        let _ = to_far.shutdown().await;
    };
    let back = async {
        let _ = tokio::io::copy(&mut from_far, &mut to_near).await;
        let _ = to_near.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(forth, back) } => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
