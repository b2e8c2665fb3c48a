use landfall_evidence::PlannedRecord;

use crate::tree::tests::tree;

fn read(files: &[(&str, &str)]) -> Vec<PlannedRecord> {
    let (_folder, tree) = tree(files);
    super::read(&tree)
}

fn told(files: &[(&str, &str)]) -> Vec<String> {
    let told = |record: &PlannedRecord| {
        let zone = record.zone.as_deref().unwrap_or("?");
        let more = if record.proxied { " proxied" } else { "" };
        let by = record.provider.as_deref().unwrap_or("?");
        format!(
            "{} ({zone}) {} {} by {by}{more} at {}",
            record.name,
            record.rtype,
            record.data.join(","),
            record.place
        )
    };
    read(files).iter().map(told).collect()
}

#[test]
fn each_providers_resource_names_its_record() {
    let zone = "resource \"cloudflare_zone\" \"main\" {\n  name = \"example.com\"\n}\n";
    for (body, want) in [
        (
            "resource \"cloudflare_record\" \"api\" {\n  zone_id = cloudflare_zone.main.id\n  name = \"api\"\n  type = \"A\"\n  content = \"192.0.2.1\"\n  proxied = true\n}",
            "api.example.com (example.com) A 192.0.2.1 by cloudflare proxied at dns.tf:4",
        ),
        (
            "resource \"cloudflare_dns_record\" \"api\" {\n  zone_id = cloudflare_zone.main.id\n  name = \"api.example.com\"\n  type = \"CNAME\"\n  content = \"Shop.Fly.dev.\"\n}",
            "api.example.com (example.com) CNAME shop.fly.dev by cloudflare at dns.tf:4",
        ),
        (
            "resource \"digitalocean_record\" \"api\" {\n  domain = \"example.org\"\n  name = \"api.example.org\"\n  type = \"A\"\n  value = \"192.0.2.2\"\n}",
            "api.example.org.example.org (example.org) A 192.0.2.2 by digitalocean at dns.tf:4",
        ),
        (
            "resource \"google_dns_record_set\" \"api\" {\n  name = \"api.example.org.\"\n  managed_zone = \"x\"\n  type = \"AAAA\"\n  rrdatas = [\"2001:DB8::1\"]\n}",
            "api.example.org (?) AAAA 2001:db8::1 by google-cloud at dns.tf:4",
        ),
        (
            "resource \"azurerm_dns_cname_record\" \"api\" {\n  name = \"api\"\n  zone_name = \"example.org\"\n  record = \"shop.azurewebsites.net\"\n}",
            "api.example.org (example.org) CNAME shop.azurewebsites.net by azure-dns at dns.tf:4",
        ),
        (
            "resource \"ovh_domain_zone_record\" \"apex\" {\n  zone = \"example.org\"\n  subdomain = \"\"\n  fieldtype = \"A\"\n  target = \"192.0.2.3\"\n}",
            "example.org (example.org) A 192.0.2.3 by ovh at dns.tf:4",
        ),
        (
            "resource \"aws_route53_record\" \"api\" {\n  zone_id = var.zone\n  name = \"api\"\n  type = \"A\"\n  alias {\n    name = aws_lb.main.dns_name\n  }\n}",
            "api (?) A  by aws at dns.tf:4",
        ),
        (
            "resource \"aws_route53_record\" \"api\" {\n  zone_id = var.zone\n  name = \"api.shop.example.org\"\n  type = \"A\"\n  records = [\"192.0.2.4\", aws_eip.web.public_ip]\n}",
            "api.shop.example.org (shop.example.org) A  by aws at dns.tf:4",
        ),
        (
            "resource \"namecheap_domain_records\" \"all\" {\n  domain = \"example.org\"\n  record {\n    hostname = \"@\"\n    type = \"MX\"\n    address = \"mail\"\n  }\n  record {\n    hostname = \"api\"\n    type = \"A\"\n    address = \"192.0.2.5\"\n  }\n}",
            "api.example.org (example.org) A 192.0.2.5 by namecheap at dns.tf:4",
        ),
    ] {
        assert_eq!(told(&[("dns.tf", &format!("{zone}{body}\n"))]), [want], "{body}");
    }
}

#[test]
fn a_whole_name_is_doubled_where_its_provider_appends_the_zone() {
    let record = |kind: &str, zone: &str, name: &str| {
        let text = format!(
            "resource \"{kind}\" \"x\" {{\n  {zone} = \"example.org\"\n  name = \"{name}\"\n  type = \"A\"\n  value = \"192.0.2.1\"\n}}\n"
        );
        read(&[("dns.tf", &text)])[0].name.clone()
    };
    assert_eq!(record("digitalocean_record", "domain", "api.example.org"), "api.example.org.example.org");
    assert_eq!(record("digitalocean_record", "domain", "api.example.org."), "api.example.org");
    assert_eq!(record("dnsimple_zone_record", "zone_name", "api.example.org"), "api.example.org.example.org");
    assert_eq!(record("vercel_dns_record", "domain", "api.example.org"), "api.example.org");
    assert_eq!(record("vercel_dns_record", "domain", "api"), "api.example.org");
}

#[test]
fn variables_locals_and_zones_are_put_in_within_their_folder() {
    let files = [
        (
            "infra/vars.tf",
            "variable \"domain\" {\n  type = string\n  default = \"example.org\"\n}\nvariable \"address\" {}\nlocals {\n  host = \"api.${var.domain}\"\n  token = \"a b c\"\n}\n",
        ),
        ("infra/prod.tfvars", "address = \"192.0.2.9\" # of the machine\n"),
        (
            "infra/dns.tf",
            "data \"aws_route53_zone\" \"main\" {\n  name = \"${var.domain}.\"\n}\n\nresource \"aws_route53_record\" \"api\" {\n  zone_id = data.aws_route53_zone.main.zone_id\n  name = local.host\n  type = \"A\"\n  records = [var.address]\n}\n\nresource \"aws_route53_record\" \"www\" {\n  zone_id = data.aws_route53_zone.main.zone_id\n  name = \"www.${data.aws_route53_zone.main.name}\"\n  type = \"CNAME\"\n  records = [local.token]\n}\n",
        ),
        (
            "other/dns.tf",
            "resource \"digitalocean_record\" \"api\" {\n  domain = var.domain\n  name = local.host\n  type = \"A\"\n  value = \"192.0.2.1\"\n}\n",
        ),
    ];
    assert_eq!(
        told(&files),
        [
            "api.example.org (example.org) A 192.0.2.9 by aws at infra/dns.tf:5",
            "www.example.org (example.org) CNAME  by aws at infra/dns.tf:12",
        ]
    );
}

#[test]
fn a_resource_for_every_element_of_an_object_is_read_once_for_each() {
    let text = "variable \"vps\" {\n  type = object({ ipv4 = string })\n  default = {\n    ipv4 = \"192.0.2.7\"\n  }\n}\nlocals {\n  apps = {\n    www = \"shop-web\"\n    \"api\" = \"shop-api\"\n  }\n}\nresource \"gandi_livedns_record\" \"fly\" {\n  for_each = local.apps\n\n  zone = \"example.org\"\n  name = each.key\n  type = \"CNAME\"\n  values = [\"${each.value}.fly.dev.\"]\n}\nresource \"gandi_livedns_record\" \"apex\" {\n  zone = \"example.org\"\n  name = \"@\"\n  type = \"A\"\n  values = [var.vps.ipv4]\n}\nresource \"gandi_livedns_record\" \"old\" {\n  zone = \"example.org\"\n  name = \"old\"\n  type = \"CNAME\"\n  values = [\"${local.apps[\"www\"]}.fly.dev.\"]\n}\n";
    assert_eq!(
        told(&[("dns.tf", text)]),
        [
            "api.example.org (example.org) CNAME shop-api.fly.dev by gandi at dns.tf:13",
            "www.example.org (example.org) CNAME shop-web.fly.dev by gandi at dns.tf:13",
            "example.org (example.org) A 192.0.2.7 by gandi at dns.tf:21",
            "old.example.org (example.org) CNAME shop-web.fly.dev by gandi at dns.tf:27",
        ]
    );
}

#[test]
fn other_tools_files_are_read() {
    let octodns = "---\n'':\n  type: A\n  values:\n  - 192.0.2.1\n  - 192.0.2.2\napi:\n- type: A\n  value: 192.0.2.3\n  octodns:\n    cloudflare:\n      proxied: true\n- type: TXT\n  value: x\nwww:\n  type: CNAME\n  value: example.org.\n";
    assert_eq!(
        told(&[("config/example.org.yaml", octodns)]),
        [
            "example.org (example.org) A 192.0.2.1,192.0.2.2 by ? at config/example.org.yaml:2",
            "api.example.org (example.org) A 192.0.2.3 by ? proxied at config/example.org.yaml:8",
            "www.example.org (example.org) CNAME example.org by ? at config/example.org.yaml:15",
        ]
    );
    let dnscontrol = "var CF = NewDnsProvider(\"cf\", \"CLOUDFLAREAPI\");\nvar web = \"192.0.2.7\";\n// A(\"old\", \"192.0.2.1\")\nD(\"example.org\", REG, DnsProvider(CF),\n  A(\"@\", web, CF_PROXY_ON),\n  CNAME('api', 'shop.fly.dev.', TTL('5m')),\n);\nD(\"example.net\", REG, DnsProvider(CF), AAAA(\"api\", other));\n";
    assert_eq!(
        told(&[("dnsconfig.js", dnscontrol)]),
        [
            "example.org (example.org) A 192.0.2.7 by cloudflare proxied at dnsconfig.js:5",
            "api.example.org (example.org) CNAME shop.fly.dev by cloudflare at dnsconfig.js:6",
            "api.example.net (example.net) AAAA  by cloudflare at dnsconfig.js:8",
        ]
    );
    let zone = "$TTL 3600\n@ IN SOA ns1 admin (\n  1 ; serial\n  2 3 4 5 )\n  IN NS ns1\n@ 300 IN A 192.0.2.1\n  A 192.0.2.2\napi CNAME edge.example.net. ; the edge\nwww 5m IN CNAME @\n$ORIGIN dev\napi A 192.0.2.8\n";
    assert_eq!(
        told(&[("zones/db.example.org", zone)]),
        [
            "example.org (example.org) A 192.0.2.1,192.0.2.2 by ? at zones/db.example.org:6",
            "api.example.org (example.org) CNAME edge.example.net by ? at zones/db.example.org:8",
            "www.example.org (example.org) CNAME example.org by ? at zones/db.example.org:9",
            "api.dev.example.org (dev.example.org) A 192.0.2.8 by ? at zones/db.example.org:11",
        ]
    );
    let stack = "Resources:\n  Api:\n    Type: AWS::Route53::RecordSet\n    Properties:\n      HostedZoneName: example.org.\n      Name: api.example.org.\n      Type: A\n      TTL: 300\n      ResourceRecords:\n        - 192.0.2.6\n  Put:\n    Type: AWS::Route53::RecordSet\n    Properties:\n      Name: !Sub \"${Stage}.example.org\"\n      Type: A\n";
    assert_eq!(
        told(&[("stack.yaml", stack)]),
        ["api.example.org (example.org) A 192.0.2.6 by aws at stack.yaml:4"]
    );
    let stack = "Parameters:\n  Domain:\n    Default: example.org\n  Address:\n    Type: String\nResources:\n  All:\n    Type: AWS::Route53::RecordSetGroup\n    Properties:\n      HostedZoneName: !Sub \"${Domain}.\"\n      RecordSets:\n        - Name: !Sub \"api.${Domain}.\"\n          Type: A\n          ResourceRecords: [!Ref Address]\n        - { Name: !Ref Domain, Type: A, ResourceRecords: [192.0.2.6] }\n";
    assert_eq!(
        told(&[("stack.yaml", stack)]),
        [
            "api.example.org (example.org) A  by aws at stack.yaml:12",
            "example.org (example.org) A 192.0.2.6 by aws at stack.yaml:15",
        ]
    );
    let endpoint = "apiVersion: externaldns.k8s.io/v1alpha1\nkind: DNSEndpoint\nspec:\n  endpoints:\n  - dnsName: api.example.org\n    recordType: A\n    targets: [192.0.2.4]\n";
    assert_eq!(told(&[("dns.yaml", endpoint)]), ["api.example.org (?) A 192.0.2.4 by ? at dns.yaml:5"]);
}

#[test]
fn what_breaks_off_or_is_absurd_loses_that_record_alone() {
    let whole = "resource \"digitalocean_record\" \"api\" {\n  domain = \"example.org\"\n  name = \"api\"\n  type = \"A\"\n  value = \"192.0.2.2\"\n}\n";
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        assert!(read(&[("dns.tf", &whole[..end])]).len() <= 1);
    }
    let long = "x".repeat(300);
    for strange in [
        format!("resource \"digitalocean_record\" \"api\" {{\n  domain = \"example.org\"\n  name = \"{long}\"\n  type = \"A\"\n  value = \"192.0.2.2\"\n}}\n"),
        "resource \"digitalocean_record\" \"api\" {\n  domain = \"ex ample..org\"\n  name = \"a b\"\n  type = \"A\"\n  value = \"192.0.2.2\"\n}\n".to_owned(),
        "resource \"digitalocean_record\" \"api\" {\n  for_each = local.all\n  domain = \"example.org\"\n  name = each.key\n  type = \"A\"\n  value = each.value\n}\n".to_owned(),
    ] {
        assert_eq!(read(&[("dns.tf", &strange)]), [], "{strange}");
    }
    // Many that never end are read once each, or the time grows with their square.
    let open = "resource \"digitalocean_record\" \"a\" {\n  for_each = local.x\n".repeat(5_000);
    let unclosed = format!("{}{open}", "variable \"a\" {\nlocals {\n".repeat(5_000));
    assert_eq!(read(&[("dns.tf", &unclosed)]), []);
    for (name, text) in [
        ("db.x", "@ SOA"),
        ("example.org.zone", "SOA\n)))((\n\u{0} A\n A\n"),
        ("dnsconfig.js", "D(\"\", DnsProvider(A(\"\",\"\")"),
        ("a.b.yaml", "type: ["),
    ] {
        read(&[(name, text)]);
    }
}
