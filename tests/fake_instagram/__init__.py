"""An Instagram on loopback, for tests of the unmodified command.

    with FakeInstagram([FakeProfile("natgeo", [FakePost("C1", [FakeSlide(jpeg())])])]) as instagram:
        subprocess.run(["igsearch", "index", "natgeo"], env=os.environ | instagram.env())
        assert instagram.count("api/graphql") == 1

It is an HTTP proxy that answers itself: `env()` names it and its certificate authority in the ordinary variables (HTTPS_PROXY, REQUESTS_CA_BUNDLE, …), so the
real instaloader and requests talk to it without knowing. `scenario` says what there is on it, `answers` in which words Instagram says so, `server` is the wire.
`requests` is the log of what was asked; a `Fault` makes it misbehave.
"""

from tests.fake_instagram.scenario import NOON, FakePost, FakeProfile, FakeSlide, jpeg, media_id, posts
from tests.fake_instagram.server import Answer, FakeInstagram, Fault, Request

__all__ = ["NOON", "Answer", "FakeInstagram", "FakePost", "FakeProfile", "FakeSlide", "Fault", "Request", "jpeg", "media_id", "posts"]
