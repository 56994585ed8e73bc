use std::sync::{Arc, Mutex};

use crate::conn::Conn;
use crate::database::Database;
use crate::error::{DbError, Failure, Result};
use crate::tests::PEOPLE;
use crate::transaction::BoxFuture;

type Order = Arc<Mutex<Vec<&'static str>>>;

/// Work that notes when it was done.
fn note(
    order: &Order,
    what: &'static str,
) -> impl for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<()>> + Send + 'static {
    let order = Arc::clone(order);
    move |_| {
        order.lock().unwrap().push(what);
        Box::pin(async { Ok(()) })
    }
}

/// What another system waits for is written before all that came earlier.
#[tokio::test]
async fn what_is_urgent_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("people.db").display());
    let store = Database::<DbError>::open(&url, &PEOPLE, true, true).await.unwrap();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let order = Order::default();
    let first = store.write(move |_| {
        held.recv().unwrap();
        Box::pin(async { Ok(()) })
    });
    let done = tokio::join!(
        first,
        store.write(note(&order, "usual")),
        store.write(note(&order, "usual, too")),
        store.write_statement(note(&order, "urgent")),
        // All are asked for in this order; now they may begin.
        async { hold.send(()).unwrap() },
    );
    assert!(done.0.is_ok() && done.1.is_ok() && done.2.is_ok() && done.3.is_ok());
    assert_eq!(*order.lock().unwrap(), ["urgent", "usual", "usual, too"]);
}

/// What runs out of a caller's work must not take the work of others along.
#[tokio::test]
async fn a_panicking_write_harms_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("people.db").display());
    let store = Database::<DbError>::open(&url, &PEOPLE, true, true).await.unwrap();
    let made = store.write(|conn| {
        Box::pin(
            async move { conn.execute("CREATE TABLE people (id BIGINT PRIMARY KEY)", &[]).await },
        )
    });
    made.await.unwrap();
    let writes = (0..60_i64).map(|n| {
        store.write(move |conn| {
            Box::pin(async move {
                conn.execute("INSERT INTO people (id) VALUES ($1)", &[&n]).await?;
                assert!(n % 4 != 0, "a bug of the caller's");
                Ok(n)
            })
        })
    });
    for (n, written) in (0..).zip(futures::future::join_all(writes).await) {
        match written {
            Ok(answer) => assert_eq!(answer, n),
            Err(error) => {
                assert!(n % 4 == 0 && matches!(error, DbError::Failed(Failure::Panicked)))
            }
        }
    }
    let mut conn = store.read().await.unwrap();
    let kept: i64 = conn.fetch_value("SELECT COUNT(*) FROM people /* scan */", &[]).await.unwrap();
    assert_eq!(kept, 45);
}
