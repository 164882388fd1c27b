"""The box as a whole: camera thread → grading thread → ledger → pages and sync. Only this file sees every stage."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from aiohttp import web

from edge.access.door import Door
from edge.camera.keeping import KeptSource
from edge.camera.sources import open_source
from edge.caretaker import Caretaker, Job
from edge.config import BoxConfig
from edge.documents import Documents
from edge.downstream import Downstream, shelf_of
from edge.figures import Figures
from edge.frames import Capture
from edge.housekeeping import RoomKeeper
from edge.ledger import FiledPage, Ledger
from edge.logs import Logs
from edge.only_one import only_instance
from edge.pictures import Pictures
from edge.pulse import Pulse
from edge.release import is_released
from edge.school_absences import Absences, Pseudonyms
from edge.school_crops import SchoolCrops
from edge.second_copy import SecondCopy
from edge.speaker import Speaker
from edge.stick_exchange import Exchanged, StickWatch
from edge.tallies import Tallies
from edge.tones import Tone, tone_of
from edge.upstream import queue_documents
from edge.ward import Ward, models_digest
from edge.web.bus import Bus
from edge.web.desk import Site
from edge.web.sheet_pictures import DecodedPicture, LastSheets, draw_sheet
from edge.web.site import make_site
from edge.worker import Shown, Worker
from homework.errors import ClassboxError
from models.recognisers import Recognisers
from provisioning.identity import Identity, read_identity
from sync.allowance import Restraint, allowance_of
from sync.box_link import BoxLink
from sync.broker_address import BrokerAddress
from sync.clock import SystemClock
from sync.known_time import KnownTime
from sync.lanes import Lane
from sync.records import CROP_KIND
from ui.language import terminal_language, translator
from ui.supervisor import Supervisor

log = logging.getLogger(__name__)
_STICK_S = 3.0
_CLOCK_S = 30.0
"""How soon it is noted that the clock has been set: a box may be switched off right after the lesson."""
_CROPS_S = 3.0
_ABSENCES_S = 3.0
_TALLY_S = 20.0
"""How soon the school is told that a class has more sheets on this box than before."""


class Box:
    """One running box. Everything with a life of its own is started by `run` and ended by it."""

    def __init__(self, config: BoxConfig, *, out: TextIO, logs: Logs) -> None:
        self._config = config
        self._out = out
        data = config.data_dir
        identity = read_identity(data)
        self._documents = Documents(data)
        logs.names.learn(lambda: (pupil.name for pupil in self._documents.roster().pupils))
        self._ledger = Ledger(
            data,
            school_key=identity.school_key if identity is not None else None,
            check=True,
            key_of=self._documents.assignment,
        )
        self._pictures = Pictures(data / "pictures", reserve_bytes=config.keep.reserve_mb << 20)
        removed = self._pictures.clean(self._ledger.digests_of_pictures())
        if removed:
            log.info("removed %d pictures that were never booked or have made room", removed)
        self._door = Door(config, documents=self._documents, clock=SystemClock())
        self._pulse = Pulse()
        self._bus = Bus()
        self._sheets = LastSheets()
        self._troubles: dict[str, ClassboxError] = {}
        self._unsaved: FiledPage | None = None
        self._link = self._make_link(identity)
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        recognisers = Recognisers.load()
        self._figures = Figures(version=version("classbox"), models=models_digest(recognisers.manifest))
        self._worker = Worker(
            ledger=self._ledger,
            documents=self._documents,
            pictures=self._pictures,
            recogniser=recognisers,
            clock=SystemClock(),
            class_name=config.class_name,
            red_is=config.reading.red,
            on_page=self._on_page,
            on_change=self._on_change,
            on_trouble=self._on_trouble,
            on_beat=partial(self._pulse.beat, "grading"),
            on_graded=lambda page: self._figures.graded(page.elapsed_ms, page.stages_ms),
        )
        self._supervisor = Supervisor()
        stick = config.stick
        self._second_copy = SecondCopy(
            config.data_dir,
            tuple(Path(root) for root in stick.roots),
            is_stick=os.path.ismount if stick.mounted else Path.is_dir,
        )
        self._ward = self._make_ward(models_digest(recognisers.manifest), logs)
        self._camera: KeptSource | None = None
        self._sticks: StickWatch | None = None
        self._caretaker, self._copyist = self._make_caretaker(identity), self._make_copyist()
        self._speaker = Speaker(on_trouble=partial(self._on_trouble, "speaker")) if config.sound.speaker else None

    async def run(self, say_address: Callable[[str], None] = lambda _address: None) -> None:
        """Serve until SIGTERM or SIGINT; then finish the page in hand and end. `say_address` hears where it listens."""
        self._loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, stop.set)
        tasks: list[asyncio.Task[None]] = []
        camera = threading.Thread(target=self._watch_camera, name="camera", daemon=True)
        try:
            address = await self._door.open(self._site())
            self._worker.start()
            camera.start()
            self._caretaker.start()
            self._copyist.start()
            tasks.append(asyncio.create_task(self._watch_changes(), name="changes"))
            tasks.append(asyncio.create_task(self._door.watch(), name="door"))
            tasks.append(asyncio.create_task(self._ward.watch(), name="ward"))
            tasks.append(asyncio.create_task(self._ward.pet(), name="watchdog"))
            tasks.append(asyncio.create_task(self._door.access.gate.watch(), name="sessions"))
            if self._link is not None:
                tasks.append(asyncio.create_task(self._link.run(), name="sync"))
            say_address(address)
            print(f"ready {address}", file=self._out, flush=True)
            self._supervisor.ready(address)
            log.info("ready at %s, version %s, networks %s", address, self._ward.version, self._ward.models)
            self._say_setup_code()
            await stop.wait()
        finally:
            self._supervisor.ending()
            log.info("ending")
            self._stopping.set()
            if self._camera is not None:
                self._camera.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self._worker.stop)
            await asyncio.to_thread(self._caretaker.stop)
            await asyncio.to_thread(self._copyist.stop, 15)
            if self._speaker is not None:
                await asyncio.to_thread(self._speaker.close)
            self._bus.publish()
            await self._door.close()
            self._ledger.close()

    # --- what the threads do -----------------------------------------------------------------------------

    def _watch_camera(self) -> None:
        """Take pages from the source for ever; a camera that fails is shown, and opened again."""
        spec = self._config.camera.source
        if spec is None:
            return
        self._camera = KeptSource(
            partial(open_source, spec, on_look=self._pulse.seen),
            put=self._put,
            on_trouble=partial(self._on_trouble, "camera"),
            on_turn=partial(self._pulse.beat, "camera"),
        )
        if not self._stopping.is_set():
            self._camera.run()
            self._pulse.over("camera")

    def _put(self, capture: Capture) -> bool:
        with self._pulse.waiting("camera"):
            return self._worker.put(capture)

    def _on_page(self, shown: Shown) -> None:
        """From the grading thread: draw the sheet once, then tell every open page."""
        filed = shown.filed
        record = filed.record
        held_back = record is not None and not is_released(self._documents, record.assignment)
        tone = tone_of(filed.status, filed.standing, record, held_back=held_back)
        if self._speaker is not None:
            self._speaker.play(tone)
        layout = self._documents.layout(record.sheet) if record is not None else None
        key = str(filed.capture) if filed.capture else "unsaved"
        self._sheets.put(key, draw_sheet(shown.capture.image, layout, filed.mm_to_px))
        self._figures.sheet(filed.standing.value if filed.capture else "not-kept")
        self._unsaved = None if filed.capture else filed
        if self._link is not None:
            self._link.wake()
        self._in_loop(lambda: self._bus.publish(tone))

    def _on_change(self) -> None:
        """From the grading thread: earlier sheets have other owners than before."""
        if self._link is not None:
            self._link.wake()
        self._in_loop(self._bus.publish)

    def _on_trouble(self, about: str, error: ClassboxError | None) -> None:
        """From any thread: something is wrong, or (None) right again."""
        before = self._troubles.get(about)
        if error is None:
            self._troubles.pop(about, None)
        else:
            self._troubles[about] = error
        if str(before) != str(error):
            self._in_loop(self._bus.publish)

    def _in_loop(self, work: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    # --- in the event loop -------------------------------------------------------------------------------

    async def _watch_changes(self) -> None:
        """Look every second at what other processes may have changed: loaded documents, receipts."""
        seen: object = object()
        waiting = None
        while True:
            try:
                stamp = self._documents.stamp()
                if stamp != seen:
                    if await asyncio.to_thread(queue_documents, self._documents, self._ledger) and self._link:
                        self._link.wake()
                    seen = stamp
                    self._bus.publish()
                counts = await asyncio.to_thread(self._ledger.outbox_counts)
                if counts[Lane.RESULTS].waiting != waiting:
                    waiting = counts[Lane.RESULTS].waiting
                    self._bus.publish()
                self._on_trouble("documents", None)
            except ClassboxError as error:
                self._on_trouble("documents", error)
            await asyncio.sleep(1.0)

    def _site(self) -> web.Application:
        return make_site(
            Site(
                ledger=self._ledger,
                documents=self._documents,
                pictures=self._pictures,
                sheets=self._sheets,
                decoded=DecodedPicture(self._pictures),
                bus=self._bus,
                class_name=self._config.class_name,
                belongs_to_school=lambda: self._link is not None,
                unsaved=lambda: self._unsaved,
                troubles=self._current_troubles,
                ending=self._stopping.is_set,
                take=self._worker.put,
                sticks=tuple(Path(root) for root in self._config.stick.roots),
                stick_done=lambda: self._sticks is not None and self._sticks.may_be_pulled,
            ),
            self._door.access,
            self._ward,
            metrics_token=self._config.web.metrics_token,
        )

    def _current_troubles(self) -> Sequence[ClassboxError]:
        damage = self._documents.trouble()
        return (*self._troubles.values(), *([damage] if damage is not None else []))

    def _make_ward(self, models: str, logs: Logs) -> Ward:
        locked = self._door.access.locked
        return Ward(
            data=self._config.data_dir,
            ledger=self._ledger,
            pulse=self._pulse,
            figures=self._figures,
            clock=SystemClock(),
            source=self._config.camera.source is not None,
            version=version("classbox"),
            models=models,
            belongs_to_school=self._link is not None,
            trouble=self._troubles.get,
            sessions=locked.book.count_sessions if locked is not None else lambda: 0,
            log_lines=logs.newest,
            supervisor=self._supervisor,
            second_copy=self._second_copy,
            heard=lambda: self._link.heard if self._link is not None else None,
            restraint=lambda: self._link.restraint if self._link is not None else Restraint.NONE,
        )

    def _say_setup_code(self) -> None:
        """Who stands at the box sets it up: the code goes to its own terminal, and nowhere else."""
        code = self._door.setup_code()
        if code is not None:
            words = translator(terminal_language()).gettext
            print(words("This box is new. Set-up code: {code}").format(code=code), file=self._out, flush=True)

    def _make_caretaker(self, identity: Identity | None) -> Caretaker:
        """What is looked after beside the sheets: room on the disk, what the school is told, its sticks."""
        keep = self._config.keep
        room = RoomKeeper(
            self._ledger,
            self._pictures,
            clock=SystemClock(),
            days=keep.days,
            short_bytes=keep.short_mb << 20,
            belongs_to_school=lambda: self._link is not None,
        )
        clock = Job("clock", _CLOCK_S, self._look_at_clock)
        if identity is None:
            return Caretaker([Job("room", 60.0, room.look), clock], on_trouble=self._on_trouble)
        if not self._config.sync.crops:
            self._ledger.take_back_crops()
        crops = SchoolCrops(
            self._ledger,
            self._documents,
            self._pictures,
            school_key=identity.school_key,
            wanted=self._wants_crops,
            on_news=self._wake_link,
        )
        tallies = Tallies(self._ledger, self._documents, SystemClock(), on_news=self._wake_link)
        absences = Absences(
            self._ledger,
            self._documents,
            Pseudonyms(self._documents, identity.school_key),
            on_news=self._wake_link,
            on_change=self._on_change,
        )
        self._sticks = StickWatch(
            self._ledger,
            identity,
            self._second_copy.sticks,
            shelf=self._shelf(identity),
            on_done=self._on_stick,
            on_change=lambda: self._in_loop(self._bus.publish),
        )
        jobs = [
            Job("room", 60.0, room.look),
            clock,
            Job("tallies", _TALLY_S, tallies.look),
            Job("crops", _CROPS_S, crops.look),
            Job("absences", _ABSENCES_S, absences.look),
            Job("stick", _STICK_S, self._sticks.look),
        ]
        return Caretaker(jobs, on_trouble=self._on_trouble)

    def _look_at_clock(self, _ending: Callable[[], bool]) -> None:
        """A time server may set the clock long after the sheets were slid."""
        self._ledger.note_clock(SystemClock().read())

    def _on_stick(self, _done: Exchanged) -> None:
        """From the caretaker's thread: the stick has everything, it may be pulled out."""
        if self._speaker is not None:
            self._speaker.play(Tone.STICK)
        self._in_loop(lambda: self._bus.publish(Tone.STICK))

    def _wants_crops(self) -> bool:
        """Whether the school can take crops: an older program of it would only hold them."""
        thrifty = self._link is not None and self._link.restraint >= Restraint.NO_CROPS
        greeting = self._ledger.greeting() if self._config.sync.crops and not thrifty else None
        return greeting is not None and greeting.reads(CROP_KIND)

    def _wake_link(self) -> None:
        if self._link is not None:
            self._link.wake()

    def _make_copyist(self) -> Caretaker:
        """A thread of its own: the first copy onto a stick may take minutes."""
        return Caretaker([Job("second copy", 10.0, self._second_copy.look)], on_trouble=self._on_trouble)

    def _shelf(self, identity: Identity) -> Downstream:
        """Where what comes from the school finds its place, by line and by stick."""
        return shelf_of(self._documents, self._ledger, identity.school_key, self._pictures, on_change=self._on_change)

    def _make_link(self, identity: Identity | None) -> BoxLink | None:
        """The line to the school; None for a box that was never enrolled, which is a whole box too."""
        if identity is None:
            return None
        broker = self._config.broker
        known = KnownTime(self._config.data_dir, SystemClock())
        return BoxLink(
            outbox=self._ledger.outbox,
            broker=BrokerAddress(
                url=broker.url or identity.broker_url,
                ca=broker.ca,
                cert=broker.cert,
                key=broker.key,
                surely_ms=known.surely_ms,
            ),
            school=identity.school,
            box=identity.box,
            key=identity.box_key,
            software=version("classbox"),
            clock=SystemClock(),
            allowance=allowance_of(self._config.sync.monthly_mb, known, SystemClock()),
            shelf=self._shelf(identity),
            on_progress=lambda: self._in_loop(self._bus.publish),
            on_trouble=partial(self._on_trouble, "sync"),
            on_misfit=partial(self._on_trouble, "versions"),
            on_documents=partial(self._on_trouble, "documents of the school"),
            on_allowance=partial(self._on_trouble, "allowance"),
        )


def run_box(config: BoxConfig, *, out: TextIO, logs: Logs) -> None:
    """Run a box until it is told to stop. Raises `ClassboxError` when it cannot start."""
    with only_instance(config.data_dir) as say_address:
        logs.to_folder(config.log, config.data_dir)
        try:
            asyncio.run(Box(config, out=out, logs=logs).run(say_address))
        finally:
            logs.close()
