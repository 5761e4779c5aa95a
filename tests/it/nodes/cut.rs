//! A network to the database that is cut without a word.

use serde_json::json;

use super::{Scene, fault, says, until};
use crate::support::database::TestDatabase;
use crate::support::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_says_so_and_recovers_by_itself() {
    let database = TestDatabase::create().await;
    let network = Proxy::start(&database).await;
    let scene = Scene::start(database, network.url()).await;
    let (cut_off, others) = (&scene.nodes[2].client, &scene.nodes[0].client);
    let license = others.license().await;
    until("all know the license", || async {
        says(cut_off, &license["key"]).await.as_deref() == Some("OK")
    })
    .await;

    network.cut();
    let end = tokio::time::Instant::now() + fault();
    let suspend = format!("/licenses/{}/suspend", license["id"].as_str().unwrap());
    others
        .post(&suspend, &json!({"reason": "meanwhile"}))
        .await
        .expect(200);
    until("what it knows is too old to be told", || async {
        says(cut_off, &license["key"]).await.as_deref() == Some("503")
    })
    .await;
    until("it says that it is not ready", || async {
        cut_off.get_anonymously("/ready").await.status == 503
    })
    .await;
    assert_eq!(cut_off.get_anonymously("/health").await.status, 200);
    // The others go on, and once it has begun to refuse it does not change its mind.
    scene.load.goes_on(15).await;
    others.get("/licenses").await.expect(200);
    while tokio::time::Instant::now() < end {
        assert_eq!(says(cut_off, &license["key"]).await.as_deref(), Some("503"));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }

    network.mend();
    until("it knows what happened", || async {
        let said = says(cut_off, &license["key"]).await;
        assert_ne!(said.as_deref(), Some("OK"));
        said.as_deref() == Some("SUSPENDED")
    })
    .await;
    until("it is ready", || async {
        cut_off.get_anonymously("/ready").await.status == 200
    })
    .await;
    // It writes and reads again.
    until("it writes", || async {
        let body = json!({"code": "AFT", "name": "x"});
        matches!(cut_off.post("/products", &body).await.status, 201 | 409)
    })
    .await;
    until("it reads", || async {
        cut_off.get("/products").await.status == 200
    })
    .await;
    scene.finish().await;
}
