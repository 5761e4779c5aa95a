use super::*;

#[tokio::test]
async fn an_answer_is_told_with_its_beginning() {
    let answer = "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nlate";
    let mut receiver = Receiver::start(answer, "").await;
    let delivered = post(&connector(), &receiver.url("hooks.example"), LONG)
        .await
        .unwrap();
    assert_eq!((delivered.status, delivered.address), (503, receiver.address));
    assert_eq!(delivered.retry_after, Some(RetryAfter::Seconds(120)));
    assert_eq!(delivered.body_start, b"late");

    let request = receiver.requests.recv().await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("post /in http/1.1\r\n"), "{request}");
    let host = format!("\r\nhost: hooks.example:{}\r\n", receiver.address.port());
    for header in [&host, "\r\nwebhook-id: msg_1\r\n", "\r\ncontent-length: 2\r\n"] {
        assert!(request.contains(header), "{request}");
    }
    assert!(!request.contains("elsewhere"), "{request}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let mut elsewhere = Receiver::start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "").await;
    let location = format!(
        "HTTP/1.1 307 Elsewhere\r\nLocation: http://{}/in\r\nContent-Length: 0\r\n\r\n",
        elsewhere.address
    );
    let receiver = Receiver::start(location.leak(), "").await;
    let delivered = post(&connector(), &receiver.url("127.0.0.1"), LONG)
        .await
        .unwrap();
    assert_eq!((delivered.status, delivered.address), (307, receiver.address));
    assert!(!elsewhere.was_asked());
}

#[tokio::test]
async fn silence_is_cut_off() {
    for beginning in ["", "HTTP/1.1 200 OK\r\nX-Never-Ends: "] {
        let receiver = Receiver::start(beginning, "").await;
        let error = post(
            &connector(),
            &receiver.url("127.0.0.1"),
            Duration::from_millis(300),
        )
        .await
        .unwrap_err();
        assert_eq!(
            (error.kind, error.address),
            (PostErrorKind::TimedOut, Some(receiver.address))
        );
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_cut_off_and_the_answer_counts() {
    let receiver = Receiver::start("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nslow", "").await;
    let delivered = post(
        &connector(),
        &receiver.url("127.0.0.1"),
        Duration::from_millis(300),
    )
    .await
    .unwrap();
    assert_eq!((delivered.status, &*delivered.body_start), (200, &b"slow"[..]));
    assert!(delivered.duration >= Duration::from_millis(300), "{delivered:?}");
}

#[tokio::test]
async fn of_a_giant_answer_the_beginning_is_read() {
    let receiver = Receiver::start("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "0123456789").await;
    let delivered = post(&connector(), &receiver.url("127.0.0.1"), LONG)
        .await
        .unwrap();
    assert_eq!((delivered.status, delivered.body_start.len()), (200, 64));
    assert!(delivered.duration < LONG, "{delivered:?}");
}

#[tokio::test]
async fn a_giant_head_is_no_answer() {
    let many = "X-Again: 1\r\n".repeat(200);
    let many = format!("HTTP/1.1 200 OK\r\n{many}\r\n").leak();
    for (answer, after) in [(&*many, ""), ("HTTP/1.1 200 OK\r\n", "X-Again: and again\r\n")] {
        let receiver = Receiver::start(answer, after).await;
        let error = post(&connector(), &receiver.url("127.0.0.1"), LONG)
            .await
            .unwrap_err();
        assert_eq!(error.kind, PostErrorKind::Protocol, "{error}");
        assert_eq!(error.detail, "The head of the answer is too large.");
    }
}

#[tokio::test]
async fn something_else_than_http_is_no_answer() {
    let receiver = Receiver::start("220 mail.example ESMTP\r\n", "").await;
    let error = post(&connector(), &receiver.url("127.0.0.1"), LONG)
        .await
        .unwrap_err();
    assert_eq!(error.detail, "What came is no answer in HTTP/1.1.");
}

#[tokio::test]
async fn nobody_there_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = post(&connector(), &format!("http://{address}/"), LONG)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind, error.address),
        (PostErrorKind::Connect, Some(address))
    );
    assert_eq!(error.detail, "The connection failed: connection refused.");
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_takes_no_connection() {
    let receiver = Receiver::start("HTTP/1.1 204 OK\r\n\r\n", "").await;
    let names = Script::new(&[&["127.0.0.77", "127.0.0.1"]]);
    let connector = Connector::with_resolver(policy(&["127.0.0.0/8"]), names);
    let delivered = post(&connector, &receiver.url("hooks.example"), LONG)
        .await
        .unwrap();
    assert_eq!((delivered.status, delivered.address), (204, receiver.address));
}

#[test]
fn retry_after_has_two_forms() {
    let read = |text: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(text));
        retry_after(&headers)
    };
    assert_eq!(read("120"), Some(RetryAfter::Seconds(120)));
    let at = "2026-03-01T12:00:00Z".parse().unwrap();
    assert_eq!(read("Sun, 01 Mar 2026 12:00:00 GMT"), Some(RetryAfter::At(at)));
    for odd in [
        "",
        "-1",
        "1.5",
        "soon",
        "99999999999",
        "Sun, 01 Mar 1926 12:00:00 GMT",
    ] {
        assert_eq!(read(odd), None, "{odd}");
    }
}
