//! Lists as the dashboard asks for them: filters, orders, searches and exports.

mod customers;
mod export;
mod licenses;
mod many;
mod products;

use serde_json::Value;

use crate::support::client::Client;

/// All rows of a list, page by page, behind the cursors.
async fn all_pages(client: &Client, first: &str) -> Vec<Value> {
    let (mut rows, mut path) = (vec![], first.to_owned());
    loop {
        let answer = client.get(&path).await;
        let next = answer.next_page();
        rows.extend(answer.expect(200).as_array().unwrap().clone());
        match next {
            Some(next) => path = next,
            None => return rows,
        }
    }
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}
