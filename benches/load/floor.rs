//! The floors: what the machine gives without us.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::post;
use axum::serve::ListenerExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};
use vinzy_client::validation::ValidateRequest;

use super::Figures;

/// A bare axum route, in a process of its own as the server is.
pub(crate) struct Floor {
    child: Child,
    pub(crate) address: String,
}

impl Floor {
    /// A route that reads a validation's body and answers with `answer`.
    pub(crate) fn start(answer: &[u8]) -> Self {
        let body = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .map_or(answer, |at| &answer[at + 4..]);
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(body).expect("room for the answer");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--floor")
            .arg(file.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts again");
        let mut address = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut address)
            .expect("it prints its address");
        Self {
            child,
            address: address.trim().to_owned(),
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the bare route.
pub(crate) async fn serve(answer: &str) {
    let answer = Bytes::from(std::fs::read(answer).expect("the answer's file"));
    let router = Router::new().route(
        "/validate",
        post(move |axum::Json(body): axum::Json<ValidateRequest>| {
            let answer = answer.clone();
            async move {
                std::hint::black_box(body);
                ([(header::CONTENT_TYPE, "application/json")], answer)
            }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.expect("it serves");
}

/// One row of an event's size per transaction, one after the other, on the server's own database.
pub(crate) async fn commits(data_dir: &Path, span: Duration) -> Figures {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(data_dir.join("run"))
        .username("vinzy")
        .database("vinzy");
    let mut connection = options.connect().await.expect("the server's database");
    connection
        .execute("CREATE TABLE IF NOT EXISTS bench_floor (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, leaf bytea NOT NULL)")
        .await
        .expect("a table");
    let leaf = vec![b'x'; 900];
    let mut measured = Figures::new(span);
    let start = Instant::now();
    while start.elapsed() < span {
        let sent = Instant::now();
        sqlx::query("INSERT INTO bench_floor (leaf) VALUES ($1)")
            .bind(&leaf)
            .execute(&mut connection)
            .await
            .expect("a commit");
        measured.note(sent.elapsed());
    }
    connection
        .execute("DROP TABLE bench_floor")
        .await
        .expect("it was there");
    measured
}
