//! An upgrade: one node after the other is told to end, and another takes its place.

use super::{Scene, node};
use crate::support::database::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_restarted_one_by_one_under_load() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let mut scene = Scene::start(database, &url).await;
    for index in 0..scene.nodes.len() {
        // The new one first, as a rolling update does; clients go on asking the old one, too.
        let old = std::mem::replace(&mut scene.nodes[index], node(&url));
        let ended = tokio::task::spawn_blocking(move || old.terminate());
        assert!(ended.await.unwrap().success(), "it ends in order");
        scene.fleet.replace(index, scene.nodes[index].client.clone());
        scene.load.goes_on(15).await;
    }
    scene.finish().await;
}
