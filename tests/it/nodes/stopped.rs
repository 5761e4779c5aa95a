//! A node that is stopped, holds what it held, and wakes up believing that nothing has happened.

use serde_json::json;

use super::{Scene, fault, says};
use crate::support::database::TestDatabase;
use crate::support::node::signal;

#[tokio::test(flavor = "multi_thread")]
async fn others_go_on_without_a_stopped_node_and_it_wakes_up_knowing_that_it_knows_nothing() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let scene = Scene::start(database, &url).await;
    let (stopped, awake) = (&scene.nodes[2], &scene.nodes[0].client);
    let license = awake.license().await;
    assert_eq!(
        says(&stopped.client, &license["key"]).await.as_deref(),
        Some("OK")
    );

    signal(stopped.pid(), "STOP");
    let suspend = format!("/licenses/{}/suspend", license["id"].as_str().unwrap());
    awake
        .post(&suspend, &json!({"reason": "meanwhile"}))
        .await
        .expect(200);
    let end = tokio::time::Instant::now() + fault();
    // Whatever it held when it was stopped, others go on.
    scene.load.goes_on(15).await;
    awake.get("/licenses").await.expect(200);
    tokio::time::sleep_until(end).await;
    signal(stopped.pid(), "CONT");

    // Never "OK", which is what it knew.
    let first = says(&stopped.client, &license["key"]).await;
    assert!(matches!(first.as_deref(), Some("503" | "SUSPENDED")), "{first:?}");
    super::until("it knows what happened", || async {
        says(&stopped.client, &license["key"]).await.as_deref() == Some("SUSPENDED")
    })
    .await;
    scene.finish().await;
}
