//! Which URLs are called, and which are not? The table of server-side request forgery.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

fn egress(allowed: &[&str]) -> Egress {
    Egress::new(&allowed.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn urls_that_may_not_be_called() {
    let egress = egress(&[]);
    for (url, why) in [
        ("", "must be a URL"),
        ("example.com/hook", "must be a URL"),
        ("http://", "must be a URL"),
        ("http://[::1", "must be a URL"),
        ("http://999.1.1.1/", "must be a URL"),
        ("ftp://example.com/", "must be an http or https URL"),
        ("file:///etc/passwd", "must be an http or https URL"),
        ("gopher://example.com/", "must be an http or https URL"),
        ("javascript:alert(1)", "must be an http or https URL"),
        ("http://user@example.com/", "must be a URL without credentials"),
        ("http://user:pw@example.com/", "must be a URL without credentials"),
        ("http://example.com@127.0.0.1/", "must be a URL without credentials"),
        ("http://127.0.0.1/", "must be a URL of a public host"),
        ("http://127.1/", "must be a URL of a public host"),
        ("http://2130706433/", "must be a URL of a public host"),
        ("http://0x7f000001/", "must be a URL of a public host"),
        ("http://0x7f.0.0.1/", "must be a URL of a public host"),
        ("http://0177.0.0.1/", "must be a URL of a public host"),
        ("http://017700000001/", "must be a URL of a public host"),
        ("http://127.0.0.1./", "must be a URL of a public host"),
        ("http://%31%32%37.0.0.1/", "must be a URL of a public host"),
        ("http://①②⑦.0.0.1/", "must be a URL of a public host"),
        ("http://0/", "must be a URL of a public host"),
        ("http://10.1.2.3/", "must be a URL of a public host"),
        ("http://169.254.169.254/latest/meta-data/", "must be a URL of a public host"),
        ("http://0xa9fea9fe/", "must be a URL of a public host"),
        ("http://[::1]/", "must be a URL of a public host"),
        ("http://[::ffff:127.0.0.1]/", "must be a URL of a public host"),
        ("http://[::ffff:a9fe:a9fe]/", "must be a URL of a public host"),
        ("http://[fd00:ec2::254]/", "must be a URL of a public host"),
        ("http://[fe80::1]/", "must be a URL of a public host"),
    ] {
        assert_eq!(egress.check(url).unwrap_err().to_string(), why, "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2048));
    assert_eq!(egress.check(&long).unwrap_err().to_string(), "must be at most 2048 bytes long");
    for url in ["https://example.com/hook?a=b", "http://1.1.1.1:8080/", "http://[2606:4700::1111]/"]
    {
        egress.check(url).unwrap();
    }
}

#[tokio::test]
async fn a_name_is_judged_by_its_addresses_and_an_allowed_host_by_its_port() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let post = |egress: Egress, url: String| async move {
        egress.post(&url, HeaderMap::new(), Bytes::new()).await
    };
    let app = axum::Router::new()
        .route(
            "/to",
            axum::routing::post(|| async { axum::response::Redirect::temporary("/there") }),
        )
        .route("/there", axum::routing::post(|| async { "never reached" }));
    let server = async { axum::serve(listener, app).await.unwrap() };
    let calls = async {
        let refused =
            post(egress(&[]), format!("http://localhost:{port}/there")).await.unwrap_err();
        assert_eq!(refused.to_string(), "the host has no public address");
        assert!(matches!(refused, EgressError::Refused(_)));
        let other_port = format!("localhost:{}", port ^ 1);
        assert!(
            post(egress(&[&other_port]), format!("http://localhost:{port}/there")).await.is_err()
        );
        let allowed = egress(&[&format!("localhost:{port}"), &format!("127.0.0.1:{port}")]);
        assert_eq!(
            post(allowed.clone(), format!("http://localhost:{port}/there")).await.unwrap(),
            200
        );
        assert_eq!(
            post(allowed, format!("http://2130706433:{port}/to")).await.unwrap(),
            307,
            "not followed"
        );
    };
    tokio::select! { () = server => {}, () = calls => {} }
}

#[test]
fn spellings_of_addresses_that_may_not_be_called() {
    let egress = egress(&[]);
    for url in [
        // Mixed and shortened spellings, which resolvers and browsers read as 127.0.0.1.
        "http://0177.1/",
        "http://0x7f.1/",
        "http://127.0.1/",
        "http://00000177.0.0.1/",
        "http://[::]/",
        "http://[0:0:0:0:0:ffff:7f00:1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[::ffff:0x7f.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        // IPv6 zones.
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        // Metadata services of clouds: AWS, Google, Azure, Oracle, Alibaba, ECS tasks.
        "http://169.254.169.254/",
        "http://[fd00:ec2::254]/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://100.100.100.200/",
        "http://169.254.170.2/v2/credentials",
        // Not the host that the eye sees.
        "http://1.1.1.1@10.0.0.1/",
        "http://1.1.1.1:80@10.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http:127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1\t/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "data:text/html,<p>x",
        "dict://127.0.0.1:11211/",
        "ws://example.com/",
        "unix:/var/run/docker.sock",
    ] {
        assert!(matches!(egress.check(url), Err(EgressError::Refused(_))), "{url}");
    }
}

#[tokio::test]
async fn names_of_private_addresses_are_refused_when_they_are_resolved() {
    let egress = Egress::resolving_with(&[], |name| {
        Box::pin(async move {
            let ip: IpAddr = match &*name {
                "metadata.google.internal" => [169, 254, 169, 254].into(),
                "intranet.example" => [10, 0, 0, 7].into(),
                _ => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            Ok(vec![SocketAddr::new(ip, 0)])
        })
    })
    .unwrap();
    for url in
        ["http://metadata.google.internal/", "http://intranet.example/", "https://v6.example/"]
    {
        let refused = get(&egress, url).await.unwrap_err();
        assert_eq!(refused.to_string(), "the host has no public address", "{url}");
    }
}

static N_RESOLVED: AtomicU32 = AtomicU32::new(0);

/// The name's address is public when it is asked first, and this machine's from then on.
fn rebinding(_name: String) -> Addresses {
    Box::pin(async {
        let ip = match N_RESOLVED.fetch_add(1, Ordering::SeqCst) {
            0 => [1, 1, 1, 1],
            _ => [127, 0, 0, 1],
        };
        Ok(vec![SocketAddr::from((ip, 0))])
    })
}

#[tokio::test]
async fn a_name_that_changes_its_address_between_check_and_use_is_not_followed_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let egress = Egress::resolving_with(&[], rebinding).unwrap();
    let url = format!("http://rebind.example:{port}/");
    egress.check(&url).unwrap();
    // What a check before the call would have seen.
    let name = "rebind.example".parse::<Name>().unwrap();
    let resolver = PublicOnly { look_up: rebinding };
    assert!(resolver.resolve(name).await.is_ok(), "public at first");
    let calls = async {
        for _ in 0..3 {
            let refused = get(&egress, &url).await.unwrap_err();
            assert_eq!(refused.to_string(), "the host has no public address");
        }
    };
    tokio::select! {
        reached = listener.accept() => panic!("reached by {:?}", reached.map(|it| it.1)),
        () = calls => {}
    }
    assert_eq!(N_RESOLVED.load(Ordering::SeqCst), 4, "each call resolves and judges anew");
}

#[tokio::test]
async fn a_get_is_bounded_in_bytes_and_time_and_follows_no_redirect() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endless = || {
        let chunks = futures_util::stream::repeat_with(|| Ok::<_, io::Error>(vec![b'x'; 10_000]));
        axum::body::Body::from_stream(chunks)
    };
    let silent = || async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "late"
    };
    let to_metadata = || async { axum::response::Redirect::to("http://169.254.169.254/") };
    let app = axum::Router::new()
        .route("/endless", axum::routing::get(move || async move { endless() }))
        .route("/silent", axum::routing::get(silent))
        .route("/to", axum::routing::get(to_metadata));
    let server = async { axum::serve(listener, app).await.unwrap() };
    let calls = async {
        let egress = egress(&[&format!("127.0.0.1:{port}")]);
        let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
        let large = get(&egress, &url("/endless")).await.unwrap_err();
        assert_eq!(large.to_string(), "it is larger than 100000 bytes");
        let late = get(&egress, &url("/silent")).await.unwrap_err();
        assert_eq!(late.to_string(), "no answer came in time");
        let redirect = get(&egress, &url("/to")).await.unwrap();
        assert_eq!(redirect.status, 303, "the next hop is the caller's to check");
        assert!(egress.check(redirect.headers["location"].to_str().unwrap()).is_err());
    };
    tokio::select! { () = server => {}, () = calls => {} }
}

async fn get(egress: &Egress, url: &str) -> Result<Answer, EgressError> {
    let limits = GetLimits { max_bytes: 100_000, timeout: Duration::from_millis(300) };
    egress.get(url, HeaderMap::new(), limits).await
}
