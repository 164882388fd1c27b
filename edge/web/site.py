"""The box's pages put together: each room adds its own routes."""

from __future__ import annotations

from aiohttp import web

from edge.access.access import ACCESS, Access
from edge.ward import Ward
from edge.web.absences import add_absences
from edge.web.account_page import add_account_page
from edge.web.again_page import add_again_page
from edge.web.audit_page import add_audit_page
from edge.web.calling import add_calling
from edge.web.classes_page import add_classes_page
from edge.web.desk import HERE, SITE, Site, refuse_strangers
from edge.web.health_page import add_health_page
from edge.web.hello_page import add_hello_page
from edge.web.homework_draft_page import add_homework_draft_page
from edge.web.homework_page import add_homework_page
from edge.web.items_page import add_items_page
from edge.web.key_page import add_key_page
from edge.web.learned_page import add_learned_page
from edge.web.live_page import add_live_page
from edge.web.login_page import add_login_page
from edge.web.overprint_page import add_overprint_page
from edge.web.people_page import add_people_page
from edge.web.review_page import add_review_page
from edge.web.second_copy_page import add_second_copy_page
from edge.web.self_page import add_self_page
from edge.web.settings_page import add_settings_page
from edge.web.sheet_page import add_sheet_page
from edge.web.slips_page import add_slips_page
from edge.web.start_page import add_start_page
from edge.web.summary_page import add_summary_page
from edge.web.upload import add_upload
from ui.pages import page_application


def make_site(
    site: Site, access: Access | None = None, ward: Ward | None = None, *, metrics_token: str | None = None
) -> web.Application:
    """The web application of the box's pages. Without `access` they are open, and ours only under loopback names.

    `ward` adds the pages that say how the box is.
    """
    app = page_application(HERE / "templates")
    app[SITE] = site
    app[ACCESS] = access or Access()
    app.middlewares.append(app[ACCESS].gate.middleware())
    add_hello_page(app)
    add_login_page(app)
    add_people_page(app)
    if ward is not None:
        add_health_page(app, ward, metrics_token=metrics_token)
        add_second_copy_page(app)
    add_live_page(app)
    add_absences(app)
    add_sheet_page(app)
    add_items_page(app)
    add_key_page(app)
    add_review_page(app)
    add_audit_page(app)
    add_summary_page(app)
    add_account_page(app)
    add_again_page(app)
    add_slips_page(app)
    add_overprint_page(app)
    add_self_page(app)
    add_settings_page(app)
    add_start_page(app)
    add_classes_page(app)
    add_homework_draft_page(app)
    add_homework_page(app)
    add_learned_page(app)
    add_upload(app, take=site.take, guard=refuse_strangers)
    add_calling(
        app,
        ledger=site.ledger,
        documents=site.documents,
        chosen_class=site.chosen_class,
        publish=site.bus.publish,
        guard=refuse_strangers,
    )
    app.router.add_get("/static/{name}", _static)
    return app


async def _static(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    path = HERE / "static" / name
    if "/" in name or "\0" in name or name.startswith(".") or not path.is_file():
        raise web.HTTPNotFound
    response = web.FileResponse(path)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if request.query_string else "no-cache"
    return response
