//! `kill -9`: of a node, and of the database under all of them.

use super::{Scene, node, until};
use crate::crash::place;
use crate::support::TestApp;
use crate::support::database::OwnPostgres;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_node_and_the_database_are_killed() {
    let (_directory, data_dir) = place();
    let postgres = OwnPostgres::start(&data_dir);
    let database = postgres.database().await;
    let url = database.url();
    let mut scene = Scene::start(database, &url).await;

    let killed = scene.nodes.remove(0);
    killed.kill();
    scene.load.goes_on(15).await;
    scene.nodes.insert(0, node(&url));
    scene.fleet.replace(0, scene.nodes[0].client.clone());
    scene.load.goes_on(15).await;

    postgres.crash();
    scene.load.goes_on(15).await;
    for node in &scene.nodes {
        until("a node is ready again", || async {
            node.client.get_anonymously("/ready").await.status == 200
        })
        .await;
    }
    scene.finish().await;
}

#[tokio::test]
async fn what_a_crash_takes_from_a_read_model_is_not_taken_for_there() {
    let app = TestApp::start().await;
    let license = app.license().await;
    assert_eq!(app.client.get("/licenses").await.body[0]["id"], license["id"]);
    // Read models are not waited for to be on disk: rows and checkpoint can go back, behind what this node has seen.
    app.database
        .execute(
            "DELETE FROM licenses;
             DELETE FROM license_counts;
             UPDATE projection_checkpoints SET position = 0 WHERE projection = 'licenses'",
        )
        .await;
    let listed = app.client.get("/licenses").await.expect(200);
    assert_eq!(listed[0]["id"], license["id"]);
    app.finish().await;
}
