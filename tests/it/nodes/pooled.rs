//! A server whose connections go through `PgBouncer`, in session mode. Skipped where it is not installed.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Scene, until};
use crate::crash::place;
use crate::support::database::TestDatabase;

struct PgBouncer(Child);

impl PgBouncer {
    fn start(directory: &Path, port: u16, database: &TestDatabase) -> Self {
        let socket = database.socket();
        let users = directory.join("users.txt");
        std::fs::write(&users, "\"vinzy\" \"\"\n").unwrap();
        let settings = format!(
            "[databases]\n* = host={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = session\n\
             default_pool_size = 100\nignore_startup_parameters = extra_float_digits\n",
            socket.parent().unwrap().display(),
            users.display(),
        );
        let file = directory.join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("pgbouncer");
        if nix::unistd::geteuid().is_root() {
            let owner = std::fs::metadata(socket.parent().unwrap()).unwrap();
            std::os::unix::process::CommandExt::uid(
                &mut command,
                std::os::unix::fs::MetadataExt::uid(&owner),
            );
        }
        let child = command.arg(&file).stderr(Stdio::null()).spawn().unwrap();
        Self(child)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_works_through_pgbouncer() {
    if Command::new("pgbouncer").arg("--version").output().is_err() {
        println!("skipped: pgbouncer is not installed");
        return;
    }
    let (directory, _) = place();
    let database = TestDatabase::create().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let _pgbouncer = PgBouncer::start(directory.path(), port, &database);
    until("pgbouncer listens", || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
    let url = database.url_at(port);
    let scene = Scene::start(database, &url).await;
    scene.finish().await;
}
