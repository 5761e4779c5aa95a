use proptest::prelude::*;

use super::*;

fn parse(url: &str) -> Result<Target, UrlError> {
    url.parse()
}

#[test]
fn a_url_is_taken_apart() {
    let target = parse("HTTPS://Hooks.Example:8443/in?x=1&y={z}").unwrap();
    assert_eq!(target.as_str(), "https://hooks.example:8443/in?x=1&y={z}");
    assert_eq!((target.encrypted, target.port), (true, 8443));
    assert_eq!(target.host, Host::Name("hooks.example".into()));
    assert_eq!(target.authority, "hooks.example:8443");
    assert_eq!(target.path, "/in?x=1&y={z}");
}

#[test]
fn a_port_that_goes_without_saying_is_not_said() {
    for (url, port, authority) in [
        ("http://hooks.example", 80, "hooks.example"),
        ("https://hooks.example:443/", 443, "hooks.example"),
        ("http://hooks.example:443/", 443, "hooks.example:443"),
        ("http://[2606:4700::1111]:80/", 80, "[2606:4700::1111]"),
        ("http://hooks.example.:8080/", 8080, "hooks.example.:8080"),
    ] {
        let target = parse(url).unwrap();
        assert_eq!(
            (target.port, target.authority.to_str().unwrap()),
            (port, authority)
        );
    }
}

#[test]
fn names_of_all_languages_become_ascii() {
    let target = parse("https://Bücher.example/ä").unwrap();
    assert_eq!(target.host, Host::Name("xn--bcher-kva.example".into()));
    assert_eq!(target.as_str(), "https://xn--bcher-kva.example/%C3%A4");
}

#[test]
fn all_notations_of_an_address_are_one() {
    let loopback = Host::Address([127, 0, 0, 1].into());
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0x7F.0x0.0x0.0x1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
    ] {
        assert_eq!(
            parse(&format!("http://{host}/")).unwrap().host,
            loopback,
            "{host}"
        );
    }
    let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
    for host in [
        "[::ffff:127.0.0.1]",
        "[::FFFF:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
    ] {
        assert_eq!(
            parse(&format!("http://{host}/")).unwrap().host,
            Host::Address(mapped),
            "{host}"
        );
    }
}

#[test]
fn what_is_not_plain_is_refused() {
    let long_label = format!("http://{}.example/", "a".repeat(64));
    let long_name = format!("http://{}example/", "abcdefg.".repeat(32));
    let long = format!("http://hooks.example/{}", "a".repeat(MAX_URL));
    let grows = format!("http://hooks.example/{}", "ä".repeat(1_000));
    for (url, error) in [
        ("", UrlError::Malformed),
        ("hooks.example", UrlError::Malformed),
        ("ftp://hooks.example/", UrlError::Scheme),
        ("file:///etc/passwd", UrlError::Scheme),
        ("gopher://127.0.0.1:25/", UrlError::Scheme),
        ("http:hooks.example", UrlError::Malformed),
        ("http:/hooks.example", UrlError::Malformed),
        ("http:///hooks.example", UrlError::Malformed),
        ("http://", UrlError::Malformed),
        (" http://hooks.example/", UrlError::Scheme),
        ("http://hooks.example/ ", UrlError::Malformed),
        ("http://hooks\t.example/", UrlError::Malformed),
        ("http://hooks.example\\@10.0.0.1/", UrlError::Malformed),
        ("http://hooks.example/\r\nX: y", UrlError::Malformed),
        ("http://user@hooks.example/", UrlError::UserInfo),
        ("http://user:word@hooks.example/", UrlError::UserInfo),
        ("http://:word@hooks.example/", UrlError::UserInfo),
        ("http://hooks.example/#", UrlError::Fragment),
        ("http://hooks.example/#part", UrlError::Fragment),
        ("http://hooks.example:65536/", UrlError::Malformed),
        ("http://hooks..example/", UrlError::Host),
        ("http://./", UrlError::Host),
        ("http://256.0.0.1/", UrlError::Malformed),
        ("http://1.2.3.4.5/", UrlError::Malformed),
        ("http://0x100000000/", UrlError::Malformed),
        ("http://[fe80::1%25eth0]/", UrlError::Malformed),
        ("http://[fe80::1%eth0]/", UrlError::Malformed),
        ("http://[::1/", UrlError::Malformed),
        ("http://ho<ks.example/", UrlError::Malformed),
        (&long_label, UrlError::Host),
        (&long_name, UrlError::Host),
        (&long, UrlError::TooLong),
        (&grows, UrlError::TooLong),
    ] {
        assert_eq!(parse(url).map(|target| target.url), Err(error), "{url:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(http|https|HTTP)://\\PC{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn the_normal_form_means_the_same(text in "https?://[a-z0-9.\\[\\]:@%-]{1,30}(/[ -~]{0,20})?") {
        if let Ok(target) = parse(&text) {
            prop_assert_eq!(parse(target.as_str()), Ok(target));
        }
    }
}
