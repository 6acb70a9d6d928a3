"""The pages in a real browser: Debian's Chromium, driven by Playwright."""

import re
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from spine_drawing import draw_spine, tilts_of

from seam_seg.apis import Prediction
from seam_seg.apis.correction_files import Corrections
from seam_seg.apis.measure_files import measure_file
from seam_seg.apis.report_files import Results
from seam_seg.measurement import Settings, interval, measure_mask
from seam_seg.report import case_page

pytestmark = [pytest.mark.slow, pytest.mark.install]
NAME = 'a long name of a case ' + 'x' * 120
# Elements that stick out of the page, and writing that sticks out of the drawing.
OVERFLOW = """() => {
  const out = (one, frame) => one.left < frame.left - 1 || one.right > frame.right + 1
    || one.top < frame.top - 1 || one.bottom > frame.bottom + 1;
  const all = (query) => Array.from(document.querySelectorAll(query));
  const page = { left: 0, right: document.documentElement.clientWidth, top: 0,
    bottom: document.documentElement.scrollHeight };
  const figure = document.querySelector('.figure');
  return [
    ...all('body *').filter((one) => !one.closest('svg, script, legend, thead'))
      .filter((one) => one.getClientRects().length)
      .filter((one) => out(one.getBoundingClientRect(), page)),
    ...all('.figure text').filter((one) =>
      out(one.getBoundingClientRect(), figure.getBoundingClientRect())),
  ].map((one) => one.outerHTML.slice(0, 80));
}"""


@pytest.fixture(scope='module')
def browser():
    path = shutil.which('chromium')
    if path is None:
        pytest.skip("no browser: install Debian's package chromium to test the pages")
    reason = 'playwright, which drives the browser, is not installed'
    sync_api = pytest.importorskip('playwright.sync_api', reason=reason)
    with sync_api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=['--no-sandbox'])
        yield found
        found.close()


def crowded_page(settings):
    """Four curves, a dozen doubtful bones, most of the flags and three checkpoints."""
    tilts = 18 * np.cos(np.linspace(0, 4.2 * np.pi, 20))
    tilts[[7, 13]] += 9, -12
    missing = [(2, 'left'), (5, 'right'), (8, 'left'), (8, 'right')]
    mask = draw_spine(tilts, lumps=7, missing=missing)
    found = measure_mask(mask, settings=settings)
    more = ['instances_disagree', 'misplaced_levels', 'specks_dropped']
    found = replace(found, flags=[*found.flags, *more])
    assert len(found.curves) == 4 and len(found.flags) == 6
    kinds = ('mask', 'image', 'instances', 'confidence', 'bones')
    kinds += ('weights', 'weights 2', 'weights 3')
    files = {kind: dict(file=f'{NAME}.png', sha256='ab' * 32) for kind in kinds}
    software = dict(seam_seg='0.3.0', numpy='2.4.6', scipy='1.17.1', opencv='5.0.0')
    content = dict(found.to_dict(), name='crowded', files=files, software=software)
    return case_page(found, content, 60 * mask, {bone.id: 0.5 for bone in found.bones})


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """A folder of pages; the first case has as much to say as fits on one."""
    folder = tmp_path_factory.mktemp('pages')
    mask = draw_spine(tilts_of('double', 30), missing=[(3, 'left')])
    assert not mask[40:80, 10:40].any()
    mask[40:80, 10:40] = 1  # a rib
    cv2.imwrite(str(folder / f'{NAME}.png'), mask)
    cv2.imwrite(str(folder / 'none.png'), np.zeros((60, 40), np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interval, 'REPETITIONS', 3)
        settings = Settings(image_left='patient_right', level_shift=-2)
        cases = [measure_file(folder / f'{name}.png') for name in (NAME, 'none')]
        case = measure_file(folder / f'{NAME}.png', settings=settings)
    results = Results(folder, [case.name for case in cases])
    for one in cases:
        results.add(one)
    results.finish([f'{NAME}.png: is damaged'])
    doubts = {bone.id: 0.5 for bone in case.measurement.bones}
    page = case_page(case.measurement, case.to_dict(), 60 * case.mask, doubts)
    (folder / 'full.html').write_text(page, 'utf-8')
    (folder / 'crowded.html').write_text(crowded_page(settings), 'utf-8')
    overview = Corrections(folder, [NAME, 'none'], [NAME, 'none'], pages=True)
    for one in cases:
        bones = one.measurement.bone_map
        sure = np.full(bones.shape, 0.7, np.float32)
        found = Prediction(one.mask, sure, 60 * one.mask, lambda bones=bones: bones)
        found.save(folder / 'out', one.name)
        overview.add(folder / 'none.png', one.name, found)
    overview.finish([f'{NAME}.png: is damaged'])
    shutil.move(str(folder / 'out' / 'overlay'), str(folder / 'overlay'))
    return folder


@pytest.fixture
def visit(browser, pages):
    """Opens a page of a width; at the end nothing must have been complained about."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(60_000)  # a busy machine
    said = []

    def go(name, width=1280):
        page = context.new_page()
        page.set_viewport_size(dict(width=width, height=900))
        page.on('console', lambda message: said.append(message.text))
        page.on('pageerror', lambda error: said.append(str(error)))
        page.on('requestfailed', lambda request: said.append(request.url))
        page.goto((pages / name).as_uri())
        return page

    yield go
    context.close()
    assert said == []


@pytest.mark.parametrize(
    'name', ['full.html', 'crowded.html', 'none.html', 'index.html', 'overview.html']
)
def test_nothing_overflows(visit, name):
    for width in (1280, 1045, 390):
        page = visit(name, width)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate('document.documentElement.scrollWidth') == width
        assert page.evaluate(OVERFLOW) == []


@pytest.mark.parametrize(
    'name',
    ['full.html', 'crowded.html', 'none.html', f'{NAME}.html'],
    ids=['full', 'crowded', 'none', 'plain'],
)
def test_prints_on_one_page(visit, name):
    page = visit(name)
    pdf = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb'/Type\s*/Page\b', pdf)) == 1
    box = re.search(rb'/MediaBox\s*\[([^]]*)\]', pdf).group(1).split()
    assert list(map(float, box)) == pytest.approx([0, 0, 595.3, 841.9], abs=1)
    page.emulate_media(media='print')
    page.set_viewport_size(dict(width=718, height=1046))  # A4 less its margins
    assert page.evaluate('document.documentElement.scrollWidth') == 718
    assert page.evaluate(OVERFLOW) == []
    inside = """() => document.querySelector('aside').scrollHeight
      <= document.querySelector('main').clientHeight + 1"""
    assert page.evaluate(inside)
    assert page.evaluate("document.querySelector('.figure').clientHeight") > 500


def test_switches(visit):
    page = visit('full.html')
    shown = {
        'image': 'image',
        'thoracic': '.spot.thoracic',
        'lumbar': '.spot.lumbar',
        'rib': '.spot.rib',
        'curves': '.end-line',
        'bone-lines': '.bone-line',
        'center-line': '.center-line',
        'doubt': '[data-tag]',
    }
    for name, part in shown.items():
        inside = page.locator(f'.figure {part}').first
        assert inside.is_visible()
        page.locator(f'[data-switch={name}]').focus()
        page.keyboard.press('Space')
        assert inside.is_hidden()
        others = [other for other in shown if other != name]
        if name in ('thoracic', 'lumbar', 'rib'):  # their numbers go with them
            others.remove('doubt')
        for other in others:
            assert page.locator(f'.figure {shown[other]}').first.is_visible()
        page.keyboard.press('Space')
        assert inside.is_visible()


def test_mouse_and_keyboard_tell_of_a_bone(visit):
    page = visit('full.html')
    tip = page.locator('#tip')
    assert tip.is_hidden()
    bones = page.locator('[data-bone]')
    bones.nth(4).hover()
    assert tip.inner_text() == bones.nth(4).get_attribute('aria-label')
    assert 'Bone ' in tip.inner_text() and 'doubt 0.50' in tip.inner_text()
    page.mouse.move(1, 1)
    assert tip.is_hidden()
    # from the last switch one Tab leads to the bones, and one more to the levels
    page.locator('[data-switch]').last.focus()
    page.keyboard.press('Tab')
    focused = 'document.activeElement.getAttribute("aria-label")'
    assert page.evaluate(focused) == bones.nth(0).get_attribute('aria-label')
    page.keyboard.press('ArrowDown')
    page.keyboard.press('ArrowRight')
    assert page.evaluate(focused) == bones.nth(2).get_attribute('aria-label')
    assert tip.inner_text() == page.evaluate(focused)
    page.keyboard.press('End')
    assert page.evaluate(focused) == bones.last.get_attribute('aria-label')
    page.keyboard.press('Escape')
    assert tip.is_hidden()
    page.keyboard.press('Home')
    assert page.evaluate(focused) == bones.nth(0).get_attribute('aria-label')
    page.keyboard.press('Tab')
    assert page.evaluate(focused).startswith('Level C7')
    # what is switched off is left out, and the bones are still reached
    page.locator('[data-switch=thoracic]').uncheck()
    page.locator('[data-switch]').last.focus()
    page.keyboard.press('Tab')
    assert 'lumbar' in page.evaluate(focused)
    # a number of the table leads to its bone
    page.locator('[data-switch=thoracic]').check()
    link = page.locator('#doubtful a').nth(3)
    link.click()
    assert page.evaluate(focused).startswith(f'Bone {link.inner_text()}:')


def test_curves_of_a_case_are_one_below_the_other(visit):
    for width in (1280, 390):
        curves = visit('index.html', width).locator('#cases .curve')
        boxes = [curves.nth(n).bounding_box() for n in range(curves.count())]
        assert len(boxes) == 2 and boxes[0]['x'] == boxes[1]['x']
        assert boxes[1]['y'] >= boxes[0]['y'] + boxes[0]['height'] - 1


def test_the_index_leads_to_the_pages(visit):
    page = visit('index.html')
    links = page.locator('#cases a')
    assert links.count() == 2 and links.first.inner_text() == 'none'
    links.nth(1).click()
    assert page.locator('h1').inner_text() == NAME


def test_the_overview_shows_the_pictures(visit):
    page = visit('overview.html')
    assert page.locator('h2.name').all_inner_texts() == ['1. none', f'2. {NAME}']
    page.locator('#cases a').last.click()
    images = page.locator('section img')
    images.last.scroll_into_view_if_needed()
    loaded = 'Array.from(document.images).every((one) => one.naturalWidth > 0)'
    page.wait_for_function(loaded)
    assert images.count() == 2
    page.get_by_text('Curves of this case').last.click()
    assert page.locator('h1').inner_text() == NAME
