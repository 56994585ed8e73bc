//! People who were erased or purged: they are in no byte of a SQLite file or of the files next to it, and in no table
//! and no statistics of Postgres.

use std::path::Path;

use end_to_end::{Kind, Proxy, Row, Scene, Submitted, Worker, post};
use sandbox::{Config, Provider};

on_both!(nothing_of_an_erased_person_is_left, what_is_old_enough_goes_by_itself);

const OCEAN: &str = "none-zaphod4242";
const CLODURA: &str = "many-zaphod4343";
const NAME: &str = "Zaphod Beeblebrox";
const EMAIL: &str = "zaphod@heart-of-gold.example";
const SLUG: &str = "zaphod-beeblebrox-1979";

/// Few enough that statistics hold every one of them.
const OTHERS: usize = 60;

struct Story {
    scene: Scene,
    worker: Worker,
    tap: Proxy,
    batch: String,
}

/// A finished batch, with the person to erase among other people. A bad row of the same person was left out.
async fn story(kind: Kind) -> Story {
    let mut scene = Scene::new(kind, Config::instant()).await;
    let tap = Proxy::start(scene.sandbox.local_addr().to_string()).await;
    scene.set("OCEAN_BASE_URL", format!("http://{}", tap.address));
    let mut file = String::from("Name,Email,ocean_person_id,clodura_person_id,linkedin_url\n");
    for n in 0..OTHERS {
        file.push_str(&format!(
            "Person {n},p{n}@example.com,found-ford{n:03},found-prefect{n:03},\n"
        ));
    }
    file.push_str(&format!(
        "{NAME},{EMAIL},{OCEAN},{CLODURA},https://www.linkedin.com/in/{SLUG}/\n"
    ));
    file.push_str(&format!("{NAME},{EMAIL},two words,,\n"));
    let path = scene.directory.path().join("people.csv");
    std::fs::write(&path, file).unwrap();
    let arguments = ["submit", path.to_str().unwrap(), "--skip-invalid", "--json"];
    let submitted = scene.enqueue(&arguments).await.with_code(0);
    // The files belong to the user, so the test removes them.
    for name in ["people.csv", "people.rejected.csv"] {
        std::fs::remove_file(scene.directory.path().join(name)).unwrap();
    }
    let worker = scene.worker().start().await;
    scene.until_finished().await;
    let batch = Submitted::read(&submitted.stdout).id;
    Story { scene, worker, tap, batch }
}

impl Story {
    /// All personal texts of the erased person.
    fn texts(&self) -> Vec<String> {
        let expected = self.scene.sandbox.expected(Provider::Clodura, CLODURA);
        assert_eq!(expected.numbers.len(), 3);
        let numbers = expected.numbers.iter().flat_map(|number| [&number.e164, &number.raw]);
        let own = [OCEAN, CLODURA, NAME, EMAIL, SLUG].map(str::to_owned);
        own.into_iter().chain(numbers.cloned()).collect()
    }

    /// Returns those texts that are still somewhere in the database.
    async fn kept(&self, texts: &[String]) -> Vec<String> {
        let mut kept = Vec::new();
        let files = match self.scene.db.kind {
            Kind::Sqlite => bytes_of(self.scene.directory.path()),
            Kind::Postgres => Vec::new(),
        };
        for text in texts {
            let in_files = files.windows(text.len()).any(|bytes| bytes == text.as_bytes());
            if in_files || (self.scene.db.kind == Kind::Postgres && self.is_in_tables(text).await) {
                kept.push(text.clone());
            }
        }
        kept
    }

    async fn is_in_tables(&self, text: &str) -> bool {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let tables = "SELECT table_schema || '.' || table_name FROM information_schema.tables
                      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
        let mut tables = self.scene.db.column(tables).await;
        tables.extend(["pg_statistic", "pg_statistic_ext_data"].map(str::to_owned));
        for table in tables {
            let sql = format!(
                "SELECT COUNT(*) FROM {table} x
                 WHERE POSITION('{text}' IN CAST(x AS text)) + POSITION('{hex}' IN CAST(x AS text)) > 0"
            );
            if self.scene.db.int(&sql).await > 0 {
                return true;
            }
        }
        false
    }

    /// Waits until all webhooks are applied, and restarts the worker. The database's log (WAL) also holds their bodies; it is
    /// emptied when the worker ends, at the latest.
    async fn all_is_applied(self) -> Story {
        self.scene.until("SELECT COUNT(*) FROM webhook_log WHERE outcome IS NULL", "0").await;
        let Story { scene, worker, tap, batch } = self;
        worker.stop().await.with_code(0);
        let worker = scene.worker().start().await;
        Story { scene, worker, tap, batch }
    }
}

/// The bytes of all files in a folder and its subfolders.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { bytes_of(&path) } else { std::fs::read(path).unwrap() });
        bytes.push(0);
    }
    bytes
}

async fn nothing_of_an_erased_person_is_left(kind: Kind) {
    let story = story(kind).await;
    let texts = story.texts();
    if kind == Kind::Postgres {
        story.scene.db.rows("ANALYZE").await;
        let sampled = "SELECT COUNT(*) FROM pg_stats WHERE tablename = 'reveals'
                       AND POSITION('zaphod' IN CAST(histogram_bounds AS text)) > 0";
        assert_eq!(story.scene.db.int(sampled).await, 1);
    }
    assert_eq!(story.kept(&texts).await, texts, "it was there");
    let line = Some(format!("ocean:{OCEAN}\n").into_bytes());
    let said =
        story.scene.enqueue_with(&["erase", "--person", "-"], line).await.with_code(0).stderr;
    assert!(said.contains("Erased: 3 reveals") || said.contains("Erased: 2 reveals"), "{said}");
    assert_eq!(story.kept(&texts).await, [""; 0]);

    // Webhooks that come later, for requests that the person was in.
    let url = story.tap.orders().remove(0).1;
    let late = format!(
        r#"{{"phones": [{{"personId": "{OCEAN}", "status": "found", "numbers": ["{}"]}}]}}"#,
        texts.last().unwrap()
    );
    assert_eq!(post(&url, late.as_bytes()).await.status, 200);
    let broken = format!(r#"{{"phones": [{{"personId": "{OCEAN}", "name": "{NAME}""#);
    assert_eq!(post(&url, broken.as_bytes()).await.status, 422);
    let story = story.all_is_applied().await;
    assert_eq!(story.kept(&texts).await, [""; 0]);

    // The other people stay until they are purged.
    let others: Vec<String> = (0..OTHERS).map(|n| format!("found-ford{n:03}")).collect();
    assert_eq!(story.kept(&others).await, others);
    assert_eq!(crate::checks::exported(&story.scene, &story.batch).await.len(), OTHERS + 1);
    story.scene.enqueue(&["purge", "--older-than", "1ms"]).await.with_code(0);
    if kind == Kind::Postgres {
        story.scene.db.rows("ANALYZE").await;
    }
    assert_eq!(story.kept(&others).await, [""; 0]);

    // No person is left that this webhook could belong to.
    let late = late.replace(OCEAN, &others[0]);
    assert_eq!(post(&url, late.as_bytes()).await.status, 200);
    let story = story.all_is_applied().await;
    let unknown = "SELECT COUNT(*) FROM webhook_log WHERE outcome = 'unknown_call'";
    assert_eq!(story.scene.db.int(unknown).await, 1);
    assert_eq!(story.kept(&others).await, [""; 0]);
    story.worker.stop().await.with_code(0);
}

async fn what_is_old_enough_goes_by_itself(kind: Kind) {
    let mut scene = Scene::new(kind, Config::instant()).await;
    for name in ["RETAIN_BODIES", "RETAIN_CALLS", "RETAIN_PEOPLE"] {
        scene.set(name, "2s");
    }
    let rows: Vec<Row> = (0..5).map(|n| Row::ocean(format!("found-{n}"))).collect();
    scene.submit(&rows, &[]).await;
    let worker = scene.worker().start().await;
    for view in ["batch_status", "reveal_status", "call_log", "webhook_log"] {
        let left = match view {
            // Balances are still requested, so only reveals count.
            "call_log" => "SELECT COUNT(*) FROM call_log WHERE kind = 'reveal'".to_owned(),
            _ => format!("SELECT COUNT(*) FROM {view}"),
        };
        scene.until(&left, "0").await;
    }
    assert_eq!(scene.charged(Provider::Ocean), 5);
    worker.stop().await.with_code(0);
}
