//! A wire between two processes that can be cut, restored and listened to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to `target`.
pub struct Proxy {
    /// The address at which it listens.
    pub address: String,
    cut: watch::Sender<bool>,
    /// If set, the next commit of a transaction that inserts calls gets no answer.
    trap: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<u8>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts to pass connections on.
    pub async fn start(target: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let cut = watch::Sender::new(false);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (state, ears) = (cut.subscribe(), Arc::clone(&heard));
        let trap = Arc::new(AtomicBool::new(false));
        let trapping = Arc::clone(&trap);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // While the wire is cut, new connections are closed at once.
                if !*state.borrow() {
                    let (target, state, ears) = (target.clone(), state.clone(), Arc::clone(&ears));
                    tokio::spawn(pass_on(near, target, state, ears, Arc::clone(&trapping)));
                }
            }
        });
        Proxy { address, cut, trap, heard, accepting }
    }

    /// Breaks all present and future connections.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets the next commit of a claim reach Postgres, then breaks the connection before the answer.
    pub fn swallow_the_next_claim_s_commit(&self) {
        self.trap.store(true, Ordering::SeqCst);
    }

    /// Whether a claim's commit was swallowed.
    pub fn has_swallowed(&self) -> bool {
        !self.trap.load(Ordering::SeqCst)
    }

    /// Lets connections through again.
    pub fn restore(&self) {
        self.cut.send_replace(false);
    }

    /// The orders that went through to Ocean: the people's ids, and the webhook address.
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
    trap: Arc<AtomicBool>,
) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let swallow = watch::Sender::new(false);
    let mut swallowed = swallow.subscribe();
    let forth = async {
        let mut chunk = [0; 16384];
        let mut claims = false;
        while let Ok(n @ 1..) = from_near.read(&mut chunk).await {
            ears.lock().expect("no task panics").extend_from_slice(&chunk[..n]);
            if to_far.write_all(&chunk[..n]).await.is_err() {
                break;
            }
            // The text of a statement is sent once a connection, before its first use.
            claims |= holds(&chunk[..n], b"INSERT INTO calls ");
            if claims && holds(&chunk[..n], b"COMMIT\0") && trap.swap(false, Ordering::SeqCst) {
                swallow.send_replace(true);
                // Gives the bytes time to arrive, because no answer is awaited.
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                break;
            }
        }
        let _ = to_far.shutdown().await;
    };
    let back = async {
        tokio::select! {
            biased;
            _ = swallowed.wait_for(|swallowed| *swallowed) => {}
            _ = tokio::io::copy(&mut from_far, &mut to_near) => {}
        }
        let _ = to_near.shutdown().await;
    };
    tokio::select! {
        _ = async { tokio::join!(forth, back) } => {}
        _ = cut.wait_for(|cut| *cut) => {}
    }
}

fn holds(chunk: &[u8], text: &[u8]) -> bool {
    chunk.windows(text.len()).any(|window| window == text)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
