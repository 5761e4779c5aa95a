use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn default_connector(answers: &[&[&str]]) -> Connector {
    Connector::with_resolver(ConnectPolicy::default(), Script::new(answers))
}

#[test]
fn literals_of_refused_ranges_are_refused_at_once() {
    let connector = default_connector(&[&[]]);
    for host in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:1::80ff:fffe]",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "0xa.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "100.64.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "[ff02::1]",
        "[2001:db8::1]",
        "[::]",
    ] {
        let refused = connector.check_url(&format!("http://{host}/"));
        assert!(
            matches!(refused, Err(UrlError::Address(_))),
            "{host}: {refused:?}"
        );
    }
    let error = connector.check_url("http://0x7f.1/").unwrap_err().to_string();
    assert_eq!(error, "must lead to a public address: 127.0.0.1 is loopback");
    for public in [
        "http://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "http://hooks.example/",
    ] {
        assert!(connector.check_url(public).is_ok(), "{public}");
    }
}

#[tokio::test]
async fn what_a_name_leads_to_is_judged_and_not_told() {
    let mut receiver = Receiver::start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "").await;
    let connector = default_connector(&[&["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]]);
    let error = post(&connector, &receiver.url("hooks.example"), LONG)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.address), (PostErrorKind::Refused, None));
    assert_eq!(error.detail, "The host has no public address: it is loopback.");
    assert!(!receiver.was_asked());
}

/// The name leads to an address that may be called when it is asked for the first time, and elsewhere on this machine
/// ever after. A call asks once, so the first goes where it was allowed to, and no later one anywhere.
#[tokio::test]
async fn a_name_that_changes_its_mind_never_leads_here() {
    let allowed = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = allowed.local_addr().unwrap().port();
    let here = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let names = Script::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let connector = Connector::with_resolver(policy(&["127.0.0.2/32"]), names);
    let url = format!("http://hooks.example:{port}/");

    let short = Duration::from_millis(300);
    let (error, accepted) = tokio::join!(post(&connector, &url, short), allowed.accept());
    assert_eq!(error.unwrap_err().kind, PostErrorKind::TimedOut);
    accepted.unwrap();
    for _ in 0..3 {
        let error = post(&connector, &url, LONG).await.unwrap_err();
        assert_eq!((error.kind, error.address), (PostErrorKind::Refused, None));
    }
    assert!(here.accept().now_or_never().is_none());
}

#[tokio::test]
async fn refused_addresses_are_left_out_of_those_that_are_tried() {
    let mut receiver = Receiver::start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "").await;
    let names = Script::new(&[&["127.0.0.1", "127.0.0.2"]]);
    let connector = Connector::with_resolver(policy(&["127.0.0.2/32"]), names);
    let error = post(&connector, &receiver.url("hooks.example"), LONG)
        .await
        .unwrap_err();
    assert_eq!(error.address.unwrap().ip().to_string(), "127.0.0.2");
    assert!(!receiver.was_asked());
}

#[tokio::test]
async fn a_url_that_was_taken_under_another_policy_is_refused_by_the_call() {
    let target = connector().check_url("http://127.0.0.1:8099/").unwrap();
    let refused = default_connector(&[&[]])
        .post(&target, HeaderMap::new(), Bytes::new(), LONG, 64)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, PostErrorKind::Refused);
    let sentence = "The URL must lead to a public address: 127.0.0.1 is loopback.";
    assert_eq!(refused.detail, sentence);
}

#[tokio::test]
async fn a_name_without_addresses_is_said() {
    let error = post(&default_connector(&[&[]]), "http://hooks.example/", LONG)
        .await
        .unwrap_err();
    assert_eq!((error.kind, error.address), (PostErrorKind::Dns, None));
}

#[tokio::test]
async fn the_system_knows_localhost() {
    let found = SystemResolver::default().resolve("localhost").await.unwrap();
    assert!(
        found.iter().all(IpAddr::is_loopback) && !found.is_empty(),
        "{found:?}"
    );
    assert!(SystemResolver::default().resolve("nobody.invalid").await.is_err());
}

/// One number in decimal, octal or hex, as `inet_aton` reads it.
fn written(number: u32, base: usize) -> String {
    match base {
        0 => number.to_string(),
        1 => format!("0{number:o}"),
        _ => format!("0x{number:x}"),
    }
}

proptest! {
    #[test]
    fn no_notation_of_this_machine_is_taken(
        low in 0_u32..0x0100_0000, parts in 1_usize..=4, bases in [0_usize..3, 0..3, 0..3, 0..3]
    ) {
        let address = Ipv4Addr::from_bits(0x7f00_0000 | low);
        let octets = address.octets();
        let mut numbers: Vec<u32> = octets[..parts - 1].iter().copied().map(u32::from).collect();
        numbers.push(address.to_bits() & (u32::MAX >> (8 * (parts - 1))));
        let host: Vec<String> = numbers.iter().zip(bases).map(|(n, base)| written(*n, base)).collect();
        let refused = default_connector(&[&[]]).check_url(&format!("http://{}/", host.join(".")));
        prop_assert!(matches!(refused, Err(UrlError::Address(_))), "{:?} {:?}", host, refused);
    }
}
