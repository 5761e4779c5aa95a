//! Customers by what they are called, whose names are sealed.

use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};

use super::{all_pages, ids};
use crate::support::TestApp;
use crate::support::client::Client;

async fn customer(client: &Client, name: &str, email: &str, company: &str) -> Value {
    let body = json!({"name": name, "email": email, "company": company, "metadata": {"note": "hidden"}});
    client.post("/customers", &body).await.expect(201)
}

fn text(customer: &Value) -> &str {
    customer["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_customer_is_found_by_name_address_company_or_id() {
    let app = TestApp::start().await;
    let jane = customer(&app.client, "Jane Ödegård", "jane@example.com", "Acme").await;
    app.advance(std::time::Duration::from_hours(24));
    let joe = customer(&app.client, "Joe", "JOE.acme@example.org", "").await;
    let other = customer(&app.client, "Deadbeef", "d@example.net", "Other").await;
    let find = async |query: &str| {
        let answer = app.client.get(&format!("/customers?{query}")).await;
        assert_eq!(answer.header("x-total-count"), "", "nobody counts: {query}");
        assert_eq!(answer.next_page(), None, "{query}");
        let rows = answer.expect(200).as_array().unwrap().clone();
        ids(&rows).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let (jane_id, joe_id, other_id) = (text(&jane), text(&joe), text(&other));
    for (query, found) in [
        ("q=jane", vec![jane_id]),
        ("q=ÖDEG", vec![jane_id]),
        ("q=+ACME+", vec![jane_id, joe_id]),
        ("q=acme&sort=-created", vec![joe_id, jane_id]),
        ("q=example.", vec![jane_id, joe_id, other_id]),
        ("q=jane@example.com", vec![jane_id]),
        ("q=joe.ACME@example.org", vec![joe_id]),
        ("q=nobody@example.org", vec![]),
        ("q=deadbeef", vec![other_id]),
        ("q=hidden", vec![]),
        (&format!("q={}", jane_id.to_uppercase()), vec![jane_id]),
        (&format!("q={}", &jane_id[..13]), vec![jane_id]),
        (&format!("q={}", &jane_id[..4]), vec![jane_id, joe_id, other_id]),
        (&format!("q=acme&ids={joe_id},{other_id}"), vec![joe_id]),
        (&format!("q=jane@example.com&ids={joe_id}"), vec![]),
        ("q=acme&email=jane@example.com", vec![jane_id]),
        ("q=joe&email=jane@example.com", vec![]),
    ] {
        assert_eq!(find(query).await, found, "{query}");
    }
    let erase = format!("/customers/{jane_id}/erase");
    app.client.post(&erase, &json!({})).await.expect(200);
    assert_eq!(find("q=jane").await, Vec::<String>::new());
    assert_eq!(find("q=jane@example.com").await, Vec::<String>::new());
    assert_eq!(find(&format!("q={jane_id}")).await, [jane_id]);
    app.finish().await;
}

#[tokio::test]
async fn customers_are_listed_by_ids_and_in_both_orders() {
    let app = TestApp::start().await;
    let (_, beta) = app.tenant("beta").await;
    let theirs = customer(&beta, "Jane", "jane@example.com", "").await;
    let mut all = vec![];
    for number in 0..5 {
        all.push(customer(&app.client, "Jane", &format!("{number}@example.com"), "").await);
    }
    let mut newest_first = all.clone();
    newest_first.reverse();
    assert_eq!(
        app.client.get("/customers?sort=-created").await.expect(200),
        json!(newest_first)
    );
    let paged = all_pages(&app.client, "/customers?sort=-created&page_size=2").await;
    assert_eq!(paged, newest_first);
    let paged = all_pages(&app.client, "/customers?sort=created&page_size=2&q=jane").await;
    assert_eq!(paged, all);
    let paged = all_pages(&app.client, "/customers?sort=-created&page_size=2&q=jane").await;
    assert_eq!(paged, newest_first);

    let some = format!(
        "/customers?ids={},{},{},0197f0a2-0000-7000-8000-000000000000",
        text(&all[3]),
        text(&theirs),
        text(&all[1])
    );
    let answer = app.client.get(&some).await;
    assert_eq!(answer.header("x-total-count"), "2");
    assert_eq!(answer.expect(200), json!([all[1], all[3]]));
    let both = format!("/customers?ids={}&email=3@example.com", text(&all[1]));
    assert_eq!(app.client.get(&both).await.expect(200), json!([]));
    let empty = app.client.get("/customers?ids=").await;
    assert_eq!(empty.header("x-total-count"), "5");
    assert_eq!(beta.get("/customers?q=jane").await.expect(200), json!([theirs]));
    app.finish().await;
}

#[tokio::test]
async fn parameters_that_say_nothing_are_named() {
    let app = TestApp::start().await;
    let id = "0197f0a2-0000-7000-8000-000000000000";
    for (query, field) in [
        ("ids=x", "ids"),
        (&format!("ids={id},"), "ids"),
        (&format!("ids={}", [id; 101].join(",")), "ids"),
        ("sort=expires_at", "sort"),
        ("sort=name", "sort"),
        ("q=jane&page=2", "page"),
        (&format!("q={}", "x".repeat(256)), "q"),
    ] {
        let problem = app.client.get(&format!("/customers?{query}")).await;
        let problem = problem.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    let hundred = format!("/customers?ids={}&page=2", [id; 100].join(","));
    assert_eq!(app.client.get(&hundred).await.expect(200), json!([]));
    assert_eq!(
        app.client.get("/customers?q=jane&page=1").await.expect(200),
        json!([])
    );
    app.finish().await;
}

#[tokio::test]
async fn a_search_opens_so_many_customers_and_can_be_gone_on_with() {
    let app = TestApp::start().await;
    let create = |number: usize| {
        let client = app.client.clone();
        async move {
            customer(
                &client,
                &format!("Somebody {number}"),
                &format!("{number}@example.com"),
                "",
            )
            .await
        }
    };
    // More than two requests look at, one after the other in the order of creation.
    let made: Vec<Value> = stream::iter(0..2_100).map(create).buffered(50).collect().await;
    assert_eq!(made.len(), 2_100);
    let needle = customer(&app.client, "Needle", "needle@example.com", "").await;
    let mut path = "/customers?q=needle".to_owned();
    let mut answers = vec![];
    loop {
        let began = std::time::Instant::now();
        let answer = app.client.get(&path).await;
        println!("{:>6} µs for a request", began.elapsed().as_micros());
        let next = answer.next_page();
        answers.push(answer.expect(200));
        match next {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(answers, [json!([]), json!([]), json!([needle])]);
    let newest = app.client.get("/customers?q=needle&sort=-created").await;
    assert!(newest.next_page().is_some(), "the others were not looked at");
    assert_eq!(newest.expect(200), json!([needle]));
    // Known by its hash, and by its place among the ids.
    let id = format!("q={}", text(&needle));
    for query in ["q=needle@example.com", &id] {
        assert_eq!(
            app.client.get(&format!("/customers?{query}")).await.expect(200),
            json!([needle])
        );
    }
    let some = all_pages(&app.client, "/customers?q=Somebody+20&page_size=100").await;
    assert_eq!(some.len(), 111, "20, 200 to 209, and 2000 to 2099");
    app.finish().await;
}
