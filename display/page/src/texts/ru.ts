/** Every word of the page in Russian. */

import type { Texts } from "./en";
import { type Sentence, translator } from "./sentences";

const plural = new Intl.PluralRules("ru");

/** A number with its noun: one, few (2 to 4), many. */
function counted(count: number, one: string, few: string, many: string): string {
  const form = plural.select(count);
  return `${count} ${form === "one" ? one : form === "few" ? few : many}`;
}

function sides(right: number, up: number, unit: string): string {
  const [x, y] = [Math.abs(right).toFixed(0), Math.abs(up).toFixed(0)];
  return `${x} ${unit} ${right < 0 ? "влево" : "вправо"}, ${y} ${unit} ${up < 0 ? "вниз" : "вверх"}`;
}

const SENTENCES: Record<Sentence, string> = {
  "No tracker in the site file: count rate only": "Трекер не задан в файле площадки: только скорость счёта",
  "Calibrating: the patient is not looked at meanwhile": "Калибровка: пациента пока не измеряют",
  "Counting on the bench: the patient is not looked at meanwhile": "Счёт на столике: пациента пока не измеряют",
  "Not registered to the patient: count rate only": "Не совмещено с пациентом: только скорость счёта",
  "Another study is coming into use": "Готовится другое исследование",
  "The probe is not calibrated: run acquire": "Зонд не откалиброван: проведите калибровку",
  "the probe is not calibrated: run acquire": "зонд не откалиброван: проведите калибровку",
  "The calibration is of another probe ({}, not {}): run acquire with this one":
    "Калибровка другого зонда ({0}, а не {1}): откалибруйте этот",
  "No study of this patient: send one, or choose one from the list":
    "Нет исследования этого пациента: отправьте его или выберите из списка",
  "No position can be told: {}": "Положение определить нельзя: {0}",
  "The tracker does not see the probe": "Трекер не видит зонд",
  "Sweep slowly over the skin": "Медленно ведите зонд по коже",
  "the study has no CT in the activity's space": "в исследовании нет КТ, совмещённой с активностью",
  "the process of the estimate was lost ({}); all counts are being counted again":
    "процесс оценки прервался ({0}); все отсчёты считаются заново",
  "{}: choose the study again to start afresh": "{0}: выберите исследование снова, чтобы начать заново",
  "the estimate failed ({})": "оценка не удалась ({0})",
  "its process was lost {} times ({})": "её процесс прервался {0} раз ({1})",

  "Nothing counted yet: hold the probe to the skin and sweep slowly":
    "Отсчётов ещё нет: приложите зонд к коже и ведите медленно",
  "The counts do not fit any position: check probe, tracker and patient's marker, then sweep again":
    "Отсчёты не подходят ни к какому положению: проверьте зонд, трекер и маркер пациента и обследуйте снова",
  "No target yet: sweep slowly over the whole area": "Мишени ещё нет: медленно ведите зонд по всей области",
  "{}: the counts speak against it": "{0}: отсчёты говорят против",
  "Cannot tell yet where {} is: {}; sweep slowly around it":
    "Пока неизвестно, где {0}: {1}; медленно обследуйте вокруг",
  "{} is located, but the probe is not tracked: show its marker to the tracker":
    "{0}: найдено, но зонд не отслеживается: покажите его маркер трекеру",
  "{}: {} mm ± {}, behind the tip: turn the probe round": "{0}: {1} мм ± {2}, позади конца зонда: разверните зонд",
  "{}: {} mm ± {}, straight ahead": "{0}: {1} мм ± {2}, прямо вперёд",
  "{}: {} mm ± {}, tilt {}, {} mm deeper ahead": "{0}: {1} мм ± {2}, наклон {3}, впереди глубже на {4} мм",
  "No target yet: {}": "Мишени ещё нет: {0}",
  "Cannot tell yet: {}": "Пока неизвестно: {0}",
  "Hold next: {}": "Далее держите: {0}",
  "hold still here": "держите неподвижно здесь",
  "hold {}": "держите {0}",
  "{}, tilt {}": "{0}, наклон {1}",
  "tilt {}": "наклон {0}",
  "{} and {}": "{0} и {1}",
  "left {n}°": "влево {0}°",
  "right {n}°": "вправо {0}°",
  "up {n}°": "вверх {0}°",
  "down {n}°": "вниз {0}°",
  "{n} mm to the patient's left": "{0} мм к левой стороне пациента",
  "{n} mm to the patient's right": "{0} мм к правой стороне пациента",
  "{n} mm to the back": "{0} мм к спине",
  "{n} mm to the front": "{0} мм кпереди",
  "{n} mm to the head": "{0} мм к голове",
  "{n} mm to the feet": "{0} мм к ногам",

  "nothing counted yet": "отсчётов ещё нет",
  "its numbers went wrong: choose the study again": "ошибка в его числах: выберите исследование снова",
  "the counts do not show it (probability {})": "по отсчётам её не видно (вероятность {0})",
  "the map says so, the counts do not yet": "так говорит карта, отсчёты пока нет",
  "its region still reaches {} mm": "её область ещё достигает {0} мм",
  "the counts do not fit any position": "отсчёты не подходят ни к какому положению",
  "the counts do not fit": "отсчёты не подходят",

  "no number, or no direction": "нет числа или направления",
  "fewer counts than none": "отсчётов меньше нуля",
  "its pose is not in the room": "положение вне операционной",
  "its live time cannot be": "невозможное живое время",
  "more counts than the instrument can count": "отсчётов больше, чем прибор может сосчитать",
  "counted twice": "посчитано дважды",
  "older than the one before": "старше предыдущего",
  "its interval overlaps the one before": "интервал перекрывает предыдущий",
  "its pose is off the hand's way": "положение не на пути руки",
  "its pose jumped into the patient": "положение скачком внутри пациента",

  "both identifiers of the patient are confirmed": "оба идентификатора пациента подтверждены",
  "each hot spot is confirmed as a target, an injection site or neither":
    "каждый очаг подтверждён как мишень, место введения или иное",
  "at least one hot spot is a target": "хотя бы один очаг – мишень",
  "each item of the time-out is confirmed and none fails": "каждый пункт тайм-аута подтверждён, и нарушений нет",
  "a target is located": "мишень найдена",
  "a target is marked as taken out": "мишень отмечена как удалённая",
  "a specimen is counted of each target taken out": "от каждой удалённой мишени сосчитан препарат",
  "the bed of each target taken out is counted and free": "ложе каждой удалённой мишени сосчитано и свободно",
  "all steps are taken": "все этапы пройдены",

  nuclide: "нуклид",
  probe: "зонд",
  window: "окно",
  "quality check": "контроль качества",
  tracker: "трекер",
  registration: "совмещение",
  side: "сторона",
  "the calibrated one": "откалиброванный",
  joined: "совмещено",
  "none: no direction": "нет: без направления",
  "{}, and no calibration for it": "{0}, и калибровки для него нет",
  "channels {} to {}": "каналы {0}–{1}",
  "its own analyser {}": "собственный анализатор {0}",
  "{}; calibrated for {} to {} keV, see that they are the same":
    "{0}; откалибровано для {1}–{2} кэВ, убедитесь, что это одно и то же",
  "all energies: this probe has no window": "все энергии: у этого зонда нет окна",
  "{} to {} keV": "от {0} до {1} кэВ",
  "not done: run acquire": "не проведён: проведите калибровку",
  "{} steps passed on {}": "пройдено шагов: {0}, {1}",
  "{} steps passed on {}, not today: run acquire": "пройдено шагов: {0}, {1}, не сегодня: проведите калибровку",
  "live, residual {} mm": "работает, невязка {0} мм",
  live: "работает",
  silent: "молчит",
  lost: "потерян",
  connecting: "подключается",
  "not there": "отсутствует",
  "no target is planned": "мишень не запланирована",
  "{}, {}: {}": "{0}, {1}: {2}",
  "{}: {}": "{0}: {1}",
  left: "слева",
  right: "справа",
  midline: "по средней линии",

  "there is no live rate to take as the background": "нет текущей скорости счёта, чтобы взять её за фон",
  "somebody else has acted meanwhile: look again, then repeat it if it still holds":
    "тем временем действовал кто-то другой: посмотрите ещё раз и повторите, если это всё ещё верно",
  "the procedure of {} ({}) is not ended: end it first; a study of another patient, or of another name, is never loaded into it":
    "операция пациента {0} ({1}) не завершена: сначала завершите её; исследование другого пациента или с другим именем в неё не загружается",
  "Position not trusted: {}": "Положению нельзя верить: {0}",
  "{} was missed by {} mm: the reference has slipped, register again":
    "промах по «{0}» на {1} мм: опорный маркер сместился, зарегистрируйте заново",
  "the registration is {} h old: register again": "регистрации уже {0} ч: зарегистрируйте заново",
  "the registration was last checked {} min ago: touch a landmark with acquire verify":
    "регистрацию проверяли {0} мин назад: коснитесь точки командой acquire verify",
  "the tip's calibration expired on {}: run acquire tool": "калибровка кончика истекла {0}: запустите acquire tool",
  "the probe counts most {}° beside its axis: run acquire tool, then acquire axis":
    "зонд сильнее всего считает на {0}° в стороне от своей оси: запустите acquire tool, затем acquire axis",
  "here the registration is good to {} mm only: add landmarks nearby, with acquire register":
    "здесь регистрация верна лишь до {0} мм: добавьте точки рядом командой acquire register",
  "registration doubtful: by the counts all lies {} mm elsewhere, as where the reference slipped; touch a landmark with acquire verify, register again if it is missed":
    "регистрация сомнительна: по счёту всё лежит на {0} мм в стороне, как если бы опорный маркер сместился; коснитесь точки командой acquire verify, при промахе зарегистрируйте заново",
  "registration doubtful: by the counts all lies {} mm elsewhere, as where the reference slipped; register again, then choose the study again":
    "регистрация сомнительна: по счёту всё лежит на {0} мм в стороне, как если бы опорный маркер сместился; зарегистрируйте заново, затем снова выберите исследование",
  "{} is gone: register again": "файла {0} больше нет: зарегистрируйте заново",
  "registration doubtful: the counts fit the study turned by half; were the landmarks saved as RAS where LPS is said? Save them anew, register again":
    "регистрация сомнительна: счёт подходит к исследованию, повёрнутому на пол-оборота; не сохранены ли точки как RAS, а указано LPS? Сохраните их заново, зарегистрируйте заново",
  "registration doubtful: the counts fit the study turned by half; is the site file's matrix of RAS? Mend it, restart radionav, then choose the study again":
    "регистрация сомнительна: счёт подходит к исследованию, повёрнутому на пол-оборота; не в RAS ли матрица в файле настроек? Исправьте её, перезапустите radionav, затем выберите исследование снова",
  "the registration is of another patient than the study: register the one on the table":
    "регистрация другого пациента, не этого исследования: зарегистрируйте того, кто на столе",
  "the landmarks were marked in another scan than the study: mark them in this one, register again":
    "точки отмечены на другом снимке: отметьте их на этом и зарегистрируйте заново",
  "registered with a newer calibration of the tip than this room navigates by: restart radionav":
    "регистрация сделана с более новой калибровкой кончика: перезапустите radionav",
  "registered with another calibration of the tip than this room navigates by: register again":
    "регистрация сделана с другой калибровкой кончика: зарегистрируйте заново",
  "a new calibration of the tip waits: restart radionav": "ждёт новая калибровка кончика: перезапустите radionav",
  "a new delay of the counts waits: restart radionav": "ждёт новая задержка счёта: перезапустите radionav",
  "the tip's axis passed by now: restart radionav": "ось кончика теперь проверена: перезапустите radionav",
  "the registration was made with other tools than the site file names: register again":
    "регистрация сделана другими инструментами, чем в файле настроек: зарегистрируйте заново",
  "the landmarks lie on the skin only with x and y turned: they are RAS where LPS was said":
    "точки ложатся на кожу, только если повернуть x и y: это RAS, а указано LPS",
  "the landmarks lie {} mm from the skin of the study: they were marked in another one":
    "точки лежат в {0} мм от кожи исследования: они отмечены на другом",
  "this study is the map at the step {}: go back to plan first":
    "это исследование служит картой на этапе «{0}»: сначала вернитесь к плану",
  "there is no map in use to draw on": "нет карты, на которой рисовать",
  "nobody drew {}: a hot spot of the map is sorted out as neither":
    "{0} никто не рисовал: очаг карты отмечают как «ни то ни другое»",
  "the time of the activity lies ahead: give when it was so much":
    "время активности в будущем: укажите, когда столько было",
  "nothing is left of that activity by now: look at its time and its unit":
    "от этой активности уже ничего не осталось: проверьте время и единицу",
  "a time without an activity says nothing: give both, or neither":
    "время без активности ничего не значит: введите оба или ничего",
  "that place lies outside of the study's images": "это место вне снимков исследования",
  "there is a {} already: give it another name": "{0} уже есть: дайте другое имя",
  "{} is there already, {} mm away: confirm that one": "{0} уже есть, в {1} мм отсюда: подтвердите его",
  "another study has come into use meanwhile: look again, then repeat it if it still holds":
    "тем временем выбрано другое исследование: посмотрите снова и повторите, если всё ещё верно",
  "the worklist has nobody of this ID and name today: ask it again":
    "в списке на сегодня нет никого с таким номером и именем: спросите снова",
  "the worklist gives no patient ID: have it corrected there": "в списке нет номера пациента: пусть его там исправят",
  "{} was drawn in another space than the map has now and is left out: draw it again":
    "{0}: нарисовано в другой системе координат, чем у нынешней карты, и не учитывается — нарисуйте заново",
  "{} at the step plan, not at {}: go back to it first": "{0} на этапе плана: сначала вернитесь к нему",
  "hot spots are confirmed": "очаги подтверждают",
  "targets are drawn": "мишени рисуют",
  "what was drawn is erased": "нарисованное стирают",
  "{} was taken out: give this one another name": "{0} уже удалён: дайте другое имя",
  "the study is being read again by what was said of it: wait until it has been":
    "исследование читается заново по сказанному о нём: подождите",
  "the map in use has no hot spot {}": "в используемой карте нет очага {0}",
  "{} cannot be confirmed ({}): mend it, or go on with a reason":
    "{0}: подтвердить нельзя ({1}): исправьте или продолжите с указанием причины",
  "{}: that has to be so first": "{0}: сначала должно быть так",
  "not yet so: {}. To go on all the same, give a reason": "ещё не выполнено: {0}. Чтобы всё же продолжить, укажите причину",
  "{}; {}": "{0}; {1}",
  "the procedure is not recorded any more ({}): make room on the disk and start again":
    "операция больше не записывается ({0}): освободите место на диске и запустите снова",
  "the procedure is not recorded any more ({}): move its file away and start again":
    "операция больше не записывается ({0}): уберите файл записи и запустите снова",
  "no such study has come in": "такое исследование не поступало",
  "the study is of another patient: ID and name must both be those in the study":
    "исследование другого пациента: номер и имя должны совпадать с исследованием",
  "the study holds no map: it has no SPECT or PET that could be placed in the patient":
    "в исследовании нет карты: нет ОФЭКТ или ПЭТ, которую можно совместить с пациентом",
  "too many requests: wait a second": "слишком много запросов: подождите секунду",
  "sign in first": "сначала войдите",
  "the file of persons cannot be used: see the log": "файл с именами нельзя прочесть: см. журнал службы",
  "name or secret is wrong": "имя или пароль неверны",
  "too many wrong secrets: wait a minute": "слишком много неверных паролей: подождите минуту",
  "{} may not do this: sign in as somebody who may": "{0}: нет права на это действие: войдите под другим именем",

  "a calibration is under way: end it first": "идёт калибровка: сначала завершите её",
  "something is being counted: stop that first": "идёт счёт: сначала остановите его",
  "nothing is estimated yet: there is no target to be taken out": "оценки ещё нет: удалять нечего",
  "there is no target {}": "нет мишени {0}",
  "{} is not located ({}): nobody could say whether it is gone from a place that is not known":
    "{0}: не найдено ({1}): нельзя сказать, удалена ли мишень из неизвестного места",
  "no target was marked as number {}": "мишень под номером {0} не отмечена",
  "no target was marked as number {}: say first what was taken out":
    "мишень под номером {0} не отмечена: сначала укажите, что удалено",
  "the bed cannot be counted: {}": "ложе сосчитать нельзя: {0}",
  "there is no specimen {}": "нет препарата {0}",
  "no target {} was marked as taken out": "мишень {0} не отмечена как удалённая",
  "the counts could not be judged ({}): count again": "отсчёты не удалось оценить ({0}): сосчитайте снова",
  "The {} was not counted: {}": "{0} не сосчитан: {1}",
  "A restart has cut off the count of the bed of {}: count it again": "Счёт ложа ({0}) прерван перезапуском: сосчитайте заново",
  "A restart has cut off the count of the specimen of {}: count it again": "Счёт препарата ({0}) прерван перезапуском: сосчитайте заново",
  "A restart has cut off the count of the specimen: count it again": "Счёт препарата прерван перезапуском: сосчитайте заново",
  "A restart has cut off the count of the background: count it again": "Счёт фона прерван перезапуском: сосчитайте заново",
  specimen: "препарат",
  background: "фон",
  "only {} s were counted: hold the probe still, {} s are best":
    "сосчитано только {0} с: держите зонд неподвижно, лучше всего {1} с",
  "the instrument is overloaded: hold the probe farther away and count again":
    "прибор перегружен: отведите зонд дальше и сосчитайте снова",
  "the instrument is saturated: hold the probe farther away and count again":
    "прибор насыщен: отведите зонд дальше и сосчитайте снова",
  "the study is not read again yet: wait, or choose it": "исследование ещё не прочитано снова: подождите или выберите его",
  "it was marked on another study's map: choose that study to count its bed":
    "она отмечена на карте другого исследования: выберите его, чтобы сосчитать ложе",
  "the patient was registered anew since it was marked: by that its bed lies {} mm elsewhere, and nobody knows which of both holds; look for what is left by the rate itself, and count the specimen":
    "после отметки пациент зарегистрирован заново: по новой регистрации ложе смещено на {0} мм, и неизвестно, какая из двух верна; ищите остаток по самой скорости счёта и сосчитайте препарат",
  "the patient was registered anew since it was marked: by that what shines beside its bed shines otherwise, and nobody knows which of both holds; look for what is left by the rate itself, and count the specimen":
    "после отметки пациент зарегистрирован заново: по новой регистрации то, что светит рядом с ложем, светит иначе, и неизвестно, какая из двух верна; ищите остаток по самой скорости счёта и сосчитайте препарат",
  "the probe was not calibrated for such distances and angles: hold it nearer, pointing at the bed":
    "зонд не откалиброван для таких расстояний и углов: держите ближе, направив на ложе",
  "the counts do not fit a source at this place: count the bed anew":
    "отсчёты не подходят к источнику в этом месте: сосчитайте ложе заново",
  "more counts at this pose would not decide it": "больше отсчётов в этом положении ничего не решат",
  "too few counts yet": "отсчётов пока мало",

  "being opened": "открывается",
  "open, waiting for its first reading": "открыт, ждёт первого показания",
  "no reading for {} s in the recording": "в записи нет показаний {0} с",
  "this is a replay of a recording: nothing is done in it": "это повтор записи: в нём ничего не делают",
  "no reading for {} s: check that it is switched on and its cable is whole":
    "нет показаний {0} с: проверьте питание и кабель",
  "no reading for {} s, though bytes come: check its baud rate and that it is the model in the site file":
    "нет показаний {0} с, хотя байты идут: проверьте скорость порта и модель в файле площадки",
  "could not be opened within {} s: check its cable and power": "не открылся за {0} с: проверьте кабель и питание",
  "another instrument answers: {} instead of {}; connect the former one, or restart to use this one":
    "отвечает другой прибор: {0} вместо {1}; подключите прежний или перезапустите с этим",
  "{} is gone ({}): check the cable and that the instrument is on, and that no other program reads the same port":
    "{0}: пропал ({1}): проверьте кабель, питание и не читает ли порт другая программа",
  "what comes from {} is not OpenIGTLink: {}. Check host and port":
    "с адреса {0} приходит чужой протокол: {1}. Проверьте узел и порт",
  "the link to {} is lost ({}). Check the tracker's computer and cable":
    "связь с {0} потеряна ({1}). Проверьте компьютер трекера и кабель",
  "{} does not answer within {} s. Check that the tracker's computer is on and its firewall lets us in":
    "{0} не отвечает за {1} с. Проверьте, включён ли компьютер трекера и пропускает ли его межсетевой экран",
  "the network does not know the host {} ({}). Check its name": "сеть не знает узла {0} ({1}). Проверьте имя",
  "nothing listens at {}. Start the tracker's OpenIGTLink server, or check the port":
    "по адресу {0} никто не отвечает. Запустите сервер трекера или проверьте порт",
  "cannot reach {} ({})": "нет связи с {0} ({1})",
  "the tracker says: {}": "трекер сообщает: {0}",
  "partly outside the volume: move the camera so that all of the tool is inside":
    "частично вне рабочего объёма: передвиньте камеру, чтобы инструмент был в нём целиком",
  "averaged over fewer frames than asked: hold it still for a moment":
    "усреднено по меньшему числу кадров: подержите неподвижно",
  "outside the volume: move the camera, or the tool into its volume":
    "вне рабочего объёма: передвиньте камеру или внесите инструмент в её объём",
  "too few of its markers are seen: clear the line of sight, clean or renew the spheres":
    "видно слишком мало маркеров: освободите обзор, протрите или смените сферы",
  "infrared disturbs it: turn lamps and reflecting things away from the camera":
    "мешает инфракрасный свет: отверните от камеры лампы и блестящие предметы",
  "its markers do not fit its definition: clean or renew the spheres, and check the tool's .rom file in the site file":
    "маркеры не подходят к его описанию: протрите или смените сферы, проверьте описание инструмента в файле площадки",
  "there is too much for the tracker's buffer: take reflecting things out of its sight":
    "буфер трекера переполнен: уберите из его обзора блестящие предметы",
  "there is too much for the tracker's computation: take reflecting things out of its sight":
    "трекер не успевает вычислять: уберите из его обзора блестящие предметы",
  "the tracker fell behind: take tools out of the site file":
    "трекер отстал: уберите лишние инструменты из файла площадки",
  "the camera's sensors are out of step: switch the tracker off and on; if it comes again, call NDI's service":
    "датчики камеры рассогласованы: выключите и включите трекер; если повторится, вызовите сервис изготовителя",
  "the tracker failed over it: switch the tracker off and on; if it comes again, call NDI's service":
    "сбой трекера: выключите и включите его; если повторится, вызовите сервис изготовителя",
  "not in sight: clear the line of sight between tool and camera":
    "не виден: освободите обзор между инструментом и камерой",
  "tracking it is not enabled: end other programs that use the tracker; it is opened again by itself":
    "слежение за ним не включено: закройте другие программы, занявшие трекер; он откроется снова сам",
  "unplugged: check the tool's plug": "отсоединён: проверьте разъём инструмента",
  "not in its port: check the tool's plug": "не в своём порту: проверьте разъём инструмента",
  "not initialised: end other programs that use the tracker; it is opened again by itself":
    "не инициализирован: закройте другие программы, занявшие трекер; он откроется снова сам",
  "not enabled: end other programs that use the tracker; it is opened again by itself":
    "не включён: закройте другие программы, занявшие трекер; он откроется снова сам",
  "in a state that we do not know ({}): switch the tracker off and on; if it comes again, call NDI's service":
    "в неизвестном состоянии ({0}): выключите и включите трекер; если повторится, вызовите сервис изготовителя",
  "a quaternion of length {} is no rotation": "кватернион длины {0} не задаёт поворота",
  "a POSITION of 12 bytes does not say how the tool is turned": "положение пришло без поворота инструмента",
  "tool type {} does not know its turn about its axis": "инструмент вида {0} не знает поворота вокруг своей оси",
  "the same pose comes again and again: its sender has frozen, restart it":
    "снова и снова приходит то же положение: его отправитель завис, перезапустите его",
  "its poses come {n} s late: free the tracker's computer and the network of other work":
    "положения приходят с опозданием {0} с: освободите компьютер трекера и сеть от другой работы",
  "it is in {} twice: give each tool its own name at the sender":
    "дважды в одном потоке ({0}): дайте у отправителя каждому инструменту своё имя",
  "it comes both in {} and in {}: give each tool its own name at the sender":
    "приходит в двух потоках ({0}; {1}): дайте у отправителя каждому инструменту своё имя",
  "{} has it in two places by turns, as two trackers of one name are: give each tool its own name at the sender":
    "{0} показывает его попеременно в двух местах, как два трекера с одним именем: дайте каждому инструменту у отправителя своё имя",
  "{} navigates by a tool of the same name, so this one is not used: give one of the two another name":
    "инструмент с тем же именем ведёт {0}, поэтому этот не используется: дайте одному из двух другое имя",

  tool: "кончик",
  timing: "задержка",
  register: "совмещение",
  verify: "проверка",
  "{} is under way: end it first": "«{0}» уже идёт: сначала прекратите",
  "{} waits for nobody now": "«{0}» сейчас никого не ждёт",
  "{} asks something else by now: look again": "«{0}» уже спрашивает другое: посмотрите ещё раз",
  "nothing failed that could be repeated": "повторять нечего: неудачи не было",
  "{} is not under way": "«{0}» не идёт",
  "nobody went on for {} s: begin again": "{0} с никто не продолжал: начните заново",
  "it was ended before it had come to anything": "прекращено раньше, чем что-либо вышло",
  "it was ended after it had not passed": "прекращено после неудачи",
  "it passed and was discarded: what was in use stays in use": "удалось и отброшено: действует то, что действовало",
  "only an engineer goes on with this: end it, or sign in as one":
    "продолжать может только инженер: прекратите или войдите как инженер",
  "nothing was measured": "ничего не измерено",
  "the body may have {} bytes": "файл слишком велик: можно {0} байт",
  "written to {}; this room goes by it when radionav is started again":
    "записано в {0}; действует после перезапуска radionav",
  "written to {}; this room goes by it when it is started again with --keep":
    "записано в {0}; действует после перезапуска с --keep",
  "written to {}: this room goes by it": "записано в {0}: уже действует",
  "the site file has no [navigation.tip]: name the file that the tip's calibration goes to":
    "в файле площадки не назван файл калибровки кончика",
  "the site file has no [navigation.timing]: name the file that the delay goes to":
    "в файле площадки не назван файл задержки счёта",
  "the site file has no [navigation.tip]: find tip and axis first":
    "в файле площадки не назван файл калибровки кончика: сначала найдите кончик и ось",
  "it looks where its axis points; noted in {}": "смотрит туда, куда указывает ось; отмечено в {0}",
  "the site file has no [navigation.registration]: name the file that it goes to":
    "в файле площадки не назван файл совмещения",
  "probes.{}.response names no calibration: run acquire first":
    "для зонда {0} калибровка не названа: сначала проведите её",
  "no study is in use: confirm hers first, for the landmarks were marked in it":
    "исследование не выбрано: сначала подтвердите его, точки отмечены на нём",
  "her study has no CT whose skin could be drawn over": "в исследовании нет КТ, по коже которой можно вести зонд",
  "nothing is registered yet: register her first": "ещё ничего не совмещено: сначала совместите",
  "{}: nothing is registered yet; run acquire register": "{0}: ещё ничего не совмещено",
  "{}: registered with another calibration of the tip: register again":
    "{0}: совмещено с другой калибровкой кончика: совместите заново",
  "no landmark is called {}: there are {}": "точки {0} нет: есть {1}",
  "{}: the registration cannot be written: {}": "{0}: совмещение не записывается: {1}",
  "{}: the timing cannot be written: {}": "{0}: задержка не записывается: {1}",
  "{}: the tip's calibration cannot be written: {}": "{0}: калибровка кончика не записывается: {1}",
  landmarks: "точки",
  "{}: no markups of 3D Slicer: {}; save the points as .mrk.json":
    "{0}: нет точек 3D Slicer ({1}); сохраните их как .mrk.json",
  "{}: coordinates in {}, wanted mm": "{0}: координаты в {1}, нужны мм",
  "{}: landmark {} has no place: mark it, or delete it": "{0}: у точки {1} нет места: отметьте её или удалите",
  "{}: landmarks need names of their own, not {} again or none":
    "{0}: у каждой точки должно быть своё имя, а не снова {1} или никакого",
  "{}: {} landmarks: 3 to {} are wanted, 5 are good": "{0}: точек {1}: нужно от 3 до {2}, хорошо 5",
  "Press the tip of {} into the divot, then tilt it slowly to all sides":
    "Упритесь кончиком {0} в лунку и медленно наклоняйте во все стороны",
  "Hold {} upright in the divot and turn it about its shaft, to and fro":
    "Держите {0} в лунке прямо и вращайте вокруг оси, туда и обратно",
  "Move {} to and fro over a point source, 10-30 mm above it, a pass each second":
    "Водите {0} туда и обратно над точечным источником, на высоте 10–30 мм, по проходу в секунду",
  "Swing {} about a point source, the tip 20-40 mm from it: slowly to all sides, and turn it half about its shaft and back meanwhile":
    "Качайте {0} над точечным источником, кончик в 20–40 мм от него: медленно во все стороны, поворачивая вокруг оси на пол-оборота и назад",
  "Touch {} with the tip of {} and hold it still": "Коснитесь точки «{0}» кончиком {1} и держите неподвижно",
  "landmark {} of {}, in any order": "точка {0} из {1}, в любом порядке",
  "Draw the tip of {} over the skin around the target, always touching it":
    "Ведите кончик {0} по коже вокруг мишени, не отрывая",
  "{} is not seen: turn it to the camera": "{0} не виден: поверните к камере",
  "{n} poses": "положений {0}",
  "{} poses, tilted by {}° of {}°": "положений {0}, наклон {1}° из {2}°",
  "{}, tip to {} mm": "{0}, кончик до {1} мм",
  "{} poses, turned by {}° of {}°": "положений {0}, поворот {1}° из {2}°",
  "wanted: the probe over the source": "нужно: зонд над источником",
  "{} s of {} s, moved over {} mm": "{0} с из {1} с, путь {2} мм",
  "wanted: the probe before the source": "нужно: зонд перед источником",
  "{} s of {} s, tilted by {}° of {}°, turned by {}° of {}°":
    "{0} с из {1} с, наклон {2}° из {3}°, поворот {4}° из {5}°",
  "{n} s of {n} s": "{0} с из {1} с",
  "wanted: the tip on the landmark": "нужно: кончик на точке",
  "hold it still: the tip wanders by {} mm": "держите неподвижно: кончик гуляет на {0} мм",
  "still for {} s of {} s": "неподвижно {0} с из {1} с",
  "very good": "очень хорошо",
  good: "хорошо",
  "tip to {} mm, {} mm RMS in space": "кончик до {0} мм, СКО в пространстве {1} мм",
  "{} mm RMS: the tip slid in the divot, the marker is loose, or its file is another's":
    "СКО {0} мм: кончик скользил в лунке, маркер шатается, или его файл чужой",
  "the tip is known to {} mm only: tilt further to all sides, and longer":
    "кончик известен лишь до {0} мм: наклоняйте сильнее во все стороны и дольше",
  "{}: the tip is known to {} mm": "{0}: кончик известен до {1} мм",
  "turned by 25°, the shaft swaying by 3° at most": "поворот на 25°, ось качается не больше чем на 3°",
  "{}: the shaft swayed by {}° while it was turned": "{0}: при вращении ось качалась на {1}°",
  "the camera never saw {}: check its name and its line of sight":
    "камера ни разу не видела {0}: проверьте имя и прямую видимость",
  "the camera does not see {}: clear its line of sight": "камера не видит {0}: освободите прямую видимость",
  "the tip was not held still: it wandered by {} mm": "кончик не держали неподвижно: он гулял на {0} мм",
  "held still": "держать неподвижно",
  "{} poses are too few for the tip; at least {} are needed": "для кончика мало положений: {0}, нужно не меньше {1}",
  "{} of {} poses do not fit: the tip moved, or the marker is loose. Press the tip into the divot and do it again":
    "не подходят положения: {0} из {1}: кончик сдвигался, или маркер шатается. Упритесь кончиком в лунку и повторите",
  "{}: its least turned axis moved by {}°, {}° are needed. Tilt it forwards and backwards, and to both sides":
    "{0}: по самой слабой оси поворот {1}°, нужно {2}°. Наклоняйте вперёд и назад, и в обе стороны",
  "the tool was held still": "инструмент держали неподвижно",
  "the tool was turned about one axis only": "инструмент вращали только вокруг одной оси",
  "{} poses are too few for the axis; at least {} are needed": "для оси мало положений: {0}, нужно не меньше {1}",
  "the tool was turned by {}° only; {}° are needed. Turn it about its shaft as far as the camera sees it":
    "поворот лишь {0}°, нужно {1}°. Вращайте вокруг оси, насколько видит камера",
  "the shaft swayed by {}°; {}° at most. Hold it upright, or in a bushing, and turn it about its shaft alone":
    "ось качалась на {0}°, можно не больше {1}°. Держите прямо или во втулке и вращайте только вокруг оси",
  "the tip lies beside the marker, not before it: which end of the axis looks out is not known":
    "кончик сбоку от маркера, а не впереди: неизвестно, какой конец оси смотрит наружу",
  "the up mark points along the probe's axis: give one that points across it":
    "метка верха смотрит вдоль оси зонда: нужна поперёк",
  "known to {} ms (standard error)": "известна до {0} мс (стандартная ошибка)",
  "no {} came: does the camera see the probe, and does it count?":
    "не пришли {0}: видит ли камера зонд и считает ли он?",
  poses: "положения",
  counts: "отсчёты",
  "{} only: {}": "{0}, этого мало: {1}",
  "counts are {} ms behind poses, known to {} ms": "отсчёты отстают от положений на {0} мс, известно до {1} мс",
  "a stronger source, nearer, or longer": "источник сильнее, ближе или дольше",
  "they arrive unevenly, by {} ms: free the computer of other work":
    "приходят неровно, на {0} мс: освободите компьютер от другой работы",
  "the probe moved by {} mm only: move it to and fro over a source":
    "зонд сдвинулся лишь на {0} мм: водите его туда и обратно над источником",
  "{} passes over the source are too few: at least {}": "мало проходов над источником: {0}, нужно не меньше {1}",
  "the counts do not follow the track (correlation {}), and arrive unevenly, by {} ms: free the computer of other work":
    "отсчёты не следуют пути (корреляция {0}) и приходят неровно, на {1} мс: освободите компьютер от другой работы",
  "the counts do not follow the track (correlation {}): is the source under it, and the probe the one that is tracked?":
    "отсчёты не следуют пути (корреляция {0}): под ним ли источник и тот ли зонд отслеживается?",
  "the delay is more than {} s: look at the clocks and the buffers": "задержка больше {0} с: проверьте часы и буферы",
  "no delay fits best, and the counts arrive unevenly, by {} ms: free the computer of other work": "ни одна задержка не подходит лучше других, а счёт приходит неравномерно, на {0} мс: освободите компьютер от другой работы",
  "delays of {} and {} ms fit alike: move it less evenly, or over a stronger source": "задержки {0} и {1} мс подходят одинаково: двигайте менее равномерно или над более сильным источником",
  "within {}° of the way it counts most": "не дальше {0}° от направления наибольшего счёта",
  "it counts most {}° ({}° to {}°) from its axis": "больше всего считает в {0}° ({1}°–{2}°) от своей оси",
  "{}, which is known to {}° only: {}": "{0}, известно лишь до {1}°: {2}",
  "a stronger source, longer, tilted and turned further": "источник сильнее, дольше, наклон и поворот больше",
  "{}, towards its {}: the marker moved, the collimator sits askew or the head is bent. Run acquire tool again, and have the probe looked at if that does not help":
    "{0}, в сторону: {1}. Сдвинулся маркер, косо сидит коллиматор или погнута головка. Найдите кончик и ось заново; не поможет – отдайте зонд на проверку",
  "up mark": "метка верха",
  "side opposite to the up mark": "сторона против метки верха",
  "the probe was tilted by {}° only: tilt it to all sides of the source":
    "зонд наклонён лишь на {0}°: наклоняйте во все стороны от источника",
  "the probe was turned about its shaft by {}° only: turn it half round and back meanwhile, or its own axis cannot be told from the way to the source":
    "зонд повёрнут вокруг оси лишь на {0}°: поворачивайте на пол-оборота и назад, иначе его ось не отличить от направления на источник",
  "{} counts are too few: at least {}": "мало отсчётов: {0}, нужно не меньше {1}",
  "the counts do not follow the tilt (correlation {}): is there a point source before the probe, and is it the probe that is tracked?":
    "отсчёты не следуют наклону (корреляция {0}): перед зондом ли точечный источник и тот ли зонд отслеживается?",
  "directions {}° apart fit alike: swing it less evenly, tilt and turn not in one rhythm":
    "направления, отстоящие на {0}°, подходят одинаково: качайте менее равномерно, наклоняя и поворачивая не в одном ритме",
  "predicted error at most {} mm RMS at each target": "ожидаемая ошибка у каждой мишени не больше {0} мм (СКО)",
  "the landmarks' middle": "середина точек",
  "the tip": "кончик",
  "{} mm are to be expected at {}: add landmarks around it, and far from each other":
    "ожидается {0} мм, {1}: добавьте точки вокруг и далеко друг от друга",
  "{}: {} mm are to be expected at {}": "{0}: ожидается {1} мм, {2}",
  "{} ways to pair the points with the landmarks fit alike: touch them in order, or add one that breaks the symmetry":
    "одинаково подходят способы: {0}: касайтесь по порядку или добавьте точку, нарушающую симметрию",
  "the landmarks fit to {} mm only: one was moved, or is another one":
    "точки сходятся лишь до {0} мм: одна сдвинута, или это другая",
  "most doubtful is {}, {} mm from where the others put it": "сомнительнее всех {0}, в {1} мм от места по остальным",
  swapped: "перепутаны",
  "touched in another order": "тронуты в другом порядке",
  "{} were {}, and were told apart by their distances": "{0}: {1}, распознаны по расстояниям",
  "without {}, which no point fits": "без {0}: этому ничего не подошло",
  "{} points fit no landmark and were left out": "не подошли и отброшены касания: {0}",
  "other orders fit alike: that they were touched in order was taken for granted":
    "другие порядки подходят так же: считаем, что касались по порядку",
  "the landmarks lie near one line ({}): the turn about it is hardly known":
    "точки лежат почти на одной прямой ({0}): поворот вокруг неё почти неизвестен",
  "{} landmarks are too few: at least {} are needed, 5 are good": "точек мало: {0}, нужно не меньше {1}, хорошо 5",
  "the landmarks lie on one line: the turn about it stays unknown; add one beside it":
    "точки лежат на одной прямой: поворот вокруг неё неизвестен; добавьте одну в стороне",
  "the landmarks are all at one place": "все точки в одном месте",
  "the measured landmarks are {} times as far apart as those of the study: check the units (both in millimetres), and that they are the same points":
    "измеренные точки в {0} раз дальше друг от друга, чем на исследовании: проверьте единицы (обе в миллиметрах) и что точки те же",
  "the measured landmarks mirror those of the study: left would become right":
    "измеренные точки – зеркало исследования: лево стало бы право",
  "landmarks {} and {} are swapped: touch them in order": "точки {0} и {1} перепутаны: касайтесь по порядку",
  "{n} {}: 3 to {} can be matched": "{1}: {0}; сопоставить можно от 3 до {2}",
  "measured points": "касаний",
  "no three of the measured points fit three landmarks: are they of this study?":
    "никакие три касания не подходят к трём точкам: этого ли они исследования?",
  "points {} mm RMS from the skin at most, and in one place only":
    "точки не дальше {0} мм от кожи (СКО), и только в одном месте",
  "the skin moved it by {} mm, and fits to {} mm": "кожа сдвинула на {0} мм и сходится до {1} мм",
  "{} points on the skin are too few: {} are needed": "на коже мало точек: {0}, нужно {1}",
  "the skin fits in another place too, {} mm away: draw where it is curved, and to all sides":
    "кожа подходит и в другом месте, в {0} мм: ведите там, где она изогнута, и во все стороны",
  "the skin lies {} mm from where the landmarks put it, further than they can be wrong: were they marked in this study, RAS or LPS as their file says, and is she lying as in the CT?":
    "кожа лежит в {0} мм от места по ориентирам, дальше их возможной ошибки: отмечены ли они в этом исследовании, RAS или LPS по файлу, и лежит ли пациент как на КТ?",
  "the points lie {} mm from the skin, RMS: was the tip on it, and is she lying as in the CT?":
    "точки лежат в {0} мм от кожи (СКО): был ли кончик на ней и лежит ли пациент как на КТ?",
  "at most {} mm: 95 % of what registration and touch may be off":
    "не больше {0} мм: 95 % возможной ошибки совмещения и касания",
  "the registration holds: {} within {} mm": "совмещение верно: {0} в пределах {1} мм",
  "the tip looks down on her, who lies {}: {}° from straight down at most":
    "кончик смотрит вниз на пациента, лежащего {0}: не больше {1}° от отвеса",
  "the tip came from below her, if she lies {}: the landmarks are turned by half, as where RAS was saved as LPS; save them anew, or say how she lies":
    "кончик подошёл снизу, если пациент лежит {0}: точки повёрнуты на пол-оборота, как если RAS сохранено как LPS; сохраните их заново или укажите, как лежит пациент",
  "the tip came from above: the landmarks are not turned by half": "кончик подошёл сверху: точки не повёрнуты на пол-оборота",
  "the tip came from the side: a half turn, as of RAS that was saved as LPS, would not show; look whether the page shows the tip where it is":
    "кончик подошёл сбоку: пол-оборота, как у RAS, сохранённого как LPS, не было бы видно; посмотрите, там ли экран показывает кончик, где он есть",
  "on her back": "на спине",
  "on her front": "на животе",
  "on her left side": "на левом боку",
  "on her right side": "на правом боку",
  "from straight down": "от отвеса",
  "{} lies to the right of {}: x has the other sign, as where RAS was saved as LPS, or the names are of the viewer's left and right; save them anew":
    "{0} лежит правее, чем {1}: у x другой знак, как если RAS сохранено как LPS, или в именах лево и право смотрящего; сохраните точки заново",
  "{} is missed by {} mm: the reference has slipped, or it is another landmark":
    "промах по «{0}» на {1} мм: опорный маркер сместился, или это другая точка",
  "tip known to": "кончик известен до",
  "RMS in space": "СКО в пространстве",
  "tilted by": "наклон",
  "shaft swayed by": "ось качалась на",
  "turned by": "поворот",
  "of {n}": "из {0}",
  "counts behind poses": "отсчёты отстают на",
  "away from the axis": "от оси на",
  distance: "расстояние",
  "95 % from": "95 % от",
  "95 % to": "95 % до",
  "uneven by": "неровность",
  correlation: "корреляция",
  passes: "проходы",
  "error at {}": "ошибка, {0}",
  "{}, left out": "{0}, если без неё",
  "left between the landmarks": "осталось между точками",
  "smallest axis": "самая короткая ось",
  "from the skin": "от кожи",
  "moved by": "сдвиг",
  points: "точки",
  "starts that agree": "сошлось начал",
  "missed by": "промах",
  mm: "мм",
  "mm RMS": "мм (СКО)",
  ms: "мс",

  "target {}": "мишень {0}",
  injection: "введение",
  unmapped: "вне карты",
  "unmapped {}": "вне карты {0}",
  "kidney? {n} mL, at the back, with its like on the other side":
    "почка? {0} мл, сзади, с такой же на другой стороне",
  "bladder? {n} mL, in the middle of the trunk": "мочевой пузырь? {0} мл, посередине туловища",
  "liver? {n} mL, on the right of the trunk": "печень? {0} мл, справа в туловище",
  "salivary gland? {n} mL, in head or neck, with its like on the other side":
    "слюнная железа? {0} мл, в голове или шее, с такой же на другой стороне",
  "thyroid? {n} mL, at the front of the neck": "щитовидная железа? {0} мл, спереди на шее",
  "{n} objects wait for {} since {}: {}": "ждут отправки в {1} с {2}: {0} объектов: {3}",
  "what was to be sent cannot be read from {} in {}: send the study again, then move the file away":
    "не прочесть, что отправлять: {0} в {1}: отправьте исследование снова и уберите файл",
  "nothing can be sent to {}: {}": "отправить в {0} ничего нельзя: {1}",
  "what sends to {} ends before it is done (exit code {}): see the node's error output":
    "отправка в {0} обрывается (код {1}): см. журнал узла",
  "may hide a node of 1/{n} of it within {n} mm": "может скрывать узел в 1/{0} её активности ближе {1} мм",
  "may hide a node of 1/{n} of it within {n} mm, and a fainter one anywhere":
    "может скрывать узел в 1/{0} её активности ближе {1} мм, а более слабый — где угодно",
};

const service = translator(SENTENCES, ",");

export const ru: Texts = {
  units: {
    decimal: ",",
    m: "м",
    mm: "мм",
    s: "с",
    min: "мин",
    h: "ч",
    ms: "мс",
    perSecond: "имп/с",
    countsPerSecond: "имп/с",
    mbq: "МБк",
    kbq: "кБк",
    mci: "мКи",
    uci: "мкКи",
  },
  page: {
    simulated: "ИМИТАЦИЯ",
    notAPatient: "не пациент",
    simulatedLabel: "Имитация, не пациент",
    replay: "ЗАПИСЬ",
    notOfNow: "не сейчас",
    replayLabel: "Повтор записи, не сейчас",
    study: "Используемое исследование",
    countRate: "Скорость счёта",
    countsPerSecond: "имп/с",
    countedOver: "время счёта",
    timesBackground: "кратно фону",
    peak: "пик",
    agreement: "сосчитано против оценки",
    hold: "Держать 5 с",
    newPeak: "Новый пик",
    backgroundHere: "Фон здесь",
    trend: "Скорость счёта за последнюю минуту",
    aim: "Мишень, видимая зондом",
    toTheTarget: "к мишени",
    underTheSkin: "под кожей",
    found: "есть в пределах 5 мм",
    slices: "Срезы через конец зонда",
    overlay: "Активность поверх КТ",
    scan: "Снимок",
    liveImage: "Живая карта",
    looks: "Вид срезов",
    stepDown: "На срез к ногам",
    stepUp: "На срез к голове",
    procedure: "Операция",
    afterExcision: "После иссечения",
    calibration: "Кончик, задержка и совмещение",
    excision: "Иссечение",
    signIn: "Вход",
    studies: "Полученные исследования",
    frozen: "СТРАНИЦА ЗАМЕРЛА",
    reload: "всё здесь устарело: перезагрузите",
    inputs: "Источники и их возраст",
    drawing: "Рисование на срезах",
    activityTime: "Когда; пусто: сейчас",
    smaller: "Меньше",
    larger: "Больше",
    undo: "Отменить",
    set: "Готово",
    cancel: "Прервать",
    readFar: "Крупные числа, читать с 2 м",
    readNear: "Крупные срезы, читать с 1 м",
  },
  header: {
    noStudy: "Исследование не выбрано",
    id: (id) => `№ ${id}`,
    live: "В эфире",
    notAdmitted: "Этот экран не допущен: введите его код",
    foreign: "Перезагрузите страницу: она другой версии, чем служба",
    waiting: "Нет данных: ждём службу",
    connecting: "Нет данных: подключение",
    noLiveData: (old) => `НЕТ СВЕЖИХ ДАННЫХ ${old}`,
    studies: (count, isPartial) => `Исследования (${count}${isPartial ? "+" : ""})`,
    studiesUnknown: "Исследования (?)",
    signOut: (name) => `Выход: ${name}`,
  },
  general: {
    noName: "без имени",
    dateUnknown: "дата неизвестна",
    close: "Закрыть",
    notNow: "Не сейчас",
    noAnswer: "Служба не отвечает: ничего не сделано",
    away: "служба не отвечает",
    answers: (status) => `ответ службы: ${status}`,
    key: (key) => `кл. ${key}`,
  },
  rate: {
    tone: {
      off: "НЕТ ЗВУКА – коснитесь",
      muted: "БЕЗ ЗВУКА",
      quiet: "Тон ждёт: ниже порога",
      playing: "Тон",
      stale: "ТОН СТОП – нет счёта",
      dead: "ЗВУК ПРОПАЛ – проверьте динамик",
    },
    status: {
      overload: "ПЕРЕГРУЗКА – отведите зонд",
      saturated: "НАСЫЩЕНИЕ – скорость не меньше этой",
      resynced: "На линии потеряно показание",
    },
    noData: "Нет данных",
    noProbe: "НЕТ ЗОНДА",
    noLiveData: "НЕТ СВЕЖИХ ДАННЫХ",
    smoothed: (seconds) => `получено из скорости, которую прибор сглаживает за ${seconds} с`,
    highDeadTime: "БОЛЬШОЕ МЁРТВОЕ ВРЕМЯ – отведите зонд для точного числа",
    none: "нет скорости счёта",
    background: "фон",
    backgroundHere: "фон здесь",
    lastOld: (old) => `последнему числу ${old}`,
    held: (seconds) => `УДЕРЖАНО – ${seconds} с`,
    moreThan: (cps) => `больше ${cps} импульсов в секунду`,
    notLive: (said) => `нет свежего счёта; последний: ${said}`,
    said: (value, error) => `${value} плюс-минус ${error} импульсов в секунду`,
  },
  agreement: {
    none: "нет прогноза",
    agrees: "как в прогнозе",
    times: (ratio) => `${ratio} × прогноз`,
    said: (measured, expected, word) => `сосчитано ${measured} в секунду, прогноз ${expected}: ${word}`,
  },
  trend: { now: "сейчас", ago: (seconds) => `−${seconds} с` },
  aim: {
    target: "Мишень",
    sure: (percent) => `${percent}, что она там`,
    motion: { toward: "▲ ближе", away: "▼ дальше", still: "на месте" },
    noData: "Нет данных",
    noLiveData: "Нет свежих данных",
    chooseStudy: "Выберите исследование",
    noTarget: "Мишени ещё нет",
    notLocated: (why) => `Ещё не найдена: ${why}`,
    unknown: "Направление неизвестно",
    noPoses: (tracker) => `${tracker}: нет положений`,
    noTracker: "Трекер не задан",
    unseen: "Трекер не видит зонд",
    distanceUnknown: "расстояние неизвестно",
    distance: (mm, half) => `${mm} плюс-минус ${half} мм`,
    shine: (name, percent) => `${name}: просвечивает, ${percent} % счёта`,
    direction: (name, right_mm, up_mm, ahead_mm) =>
      `${name}: ${sides(right_mm, up_mm, "мм")}, ${Math.abs(ahead_mm).toFixed(0)} мм ${ahead_mm < 0 ? "позади" : "впереди"}`,
    hold: "ДЕРЖАТЬ",
    holdNext: "ДАЛЕЕ СЮДА",
    holdStill: "держите неподвижно здесь",
    holdThere: (right_mm, up_mm, right_deg, up_deg) =>
      `далее держите: ${sides(right_mm, up_mm, "мм")}, наклон ${sides(right_deg, up_deg, "градусов")}`,
    up: "ВЕРХ",
    behind: "ПОЗАДИ",
    shineThrough: "ПРОСВЕЧИВАНИЕ",
    organ: (name) => `${name} (орган)`,
    from: { skin: "кожа", tip: "конец" },
  },
  slices: {
    cuts: { axial: "АКСИАЛ.", coronal: "КОРОН.", sagittal: "САГИТТ.", probe: "ЗОНД" },
    windows: { soft: "Мягкие ткани", bone: "Кость", lung: "Лёгкие" },
    maps: { inferno: "Инферно", cividis: "Цивидис" },
    lock: "Закрепить",
    locked: "Закреплено",
    noStudy: "Исследование не выбрано",
    noPose: "Зонд не виден",
    off: (name, mm, side) => `${name} ${mm} мм ${side}`,
    probe: "зонд",
    along: {
      tip: "срез вдоль зонда, его правая сторона справа",
      locked: "срез вдоль зонда, как его держали, закреплён, правая сторона зонда справа",
      none: "нет среза вдоль зонда",
    },
    none: (cut) => `${cut} срез: нет`,
    through: (cut, where, side) =>
      `${cut} срез${{ tip: " через конец зонда", target: " через мишень", locked: " закреплён" }[where]}, ${side} справа`,
    loading: "Загрузка объёмов",
    failed: (why) => `Объёмы не загружаются (${why}); пробуем снова`,
    incomplete: (came, wanted) => `пришло вокселов: ${came} из ${wanted}`,
    doesNotFollow: "ЗАКРЕПЛЕНО: не следует за зондом",
    throughTarget: "Через мишень: нет свежего положения зонда",
    moved: (mm, half) => `Карта сдвинута на ${mm} мм ± ${half}`,
    solid: (surfaces, targets, isTracked) =>
      `Трёхмерный вид: поверхностей ${surfaces}, найденных мишеней ${targets}, ${isTracked ? "зонд показан" : "нет зонда"}`,
    noImage: "Живой карты ещё нет: медленно ведите зонд по коже",
    nothingKnown: "Пока ничего не известно: ведите ближе",
    imageOld: (old) => `ЖИВОЙ КАРТЕ ${old}`,
    known: (old, ml, without) => `возраст ${old}, известно ${ml} мл${without && `, без ${without}`}`,
  },
  trust: {
    state: {
      connecting: "СВЯЗЬ", live: "НОРМА", silent: "МОЛЧИТ", lost: "ПРОПАЛ", doubtful: "СОМНИТЕЛЬНО", alarm: "ТРЕВОГА",
    },
    device: { dicom: "Томограф", recorder: "Запись", mqtt: "Сервер больницы" },
    error: (mm) => `ошибка ${mm} мм`,
    picture: "Этот экран",
    pictureOld: (old) => `СТАР ${old}`,
    registration: "Совмещение",
    none: "НЕТ",
    set: "ЕСТЬ",
    noDirection: "без направления",
    noPose: "нет положения",
    errorUnknown: "ошибка неизвестна",
    atTip: "на конце зонда",
    calibration: "Калибровка",
    runAcquire: "проведите её",
    deadTime: (share) => `мёртвое время ${share}`,
    noBattery: "батарея: нет сведений",
    battery: (volts) => `батарея ${volts} В`,
    batteryGood: "батарея не разряжена",
    batteryLow: "СМЕНИТЕ БАТАРЕЮ",
    ownAlarm: "его сигнализация",
    notToday: "не сегодня",
    today: "СЕГОДНЯ",
    daysOld: (days) => `${days} СУТ`,
    study: "Исследование",
    chooseOne: "выберите",
    noDate: "НЕТ ДАТЫ",
    activityUnknown: "активность неизвестна",
    sinceScan: "после снимка",
    estimate: "Оценка",
    noStudy: "исследование не выбрано",
    noCounts: "отсчётов ещё нет",
    noneYet: "ЕЩЁ НЕТ",
    noNewCounts: (old) => `нет новых отсчётов ${old}`,
    readings: (count) => counted(count, "показание", "показания", "показаний"),
    doesNotFit: "НЕ СХОДИТСЯ",
    fitNowhere: "отсчёты не подходят ни к какому положению",
    uncalibrated: "видно оттуда, где зонд не откалиброван",
    beganAnew: (times) => `начата заново ${counted(times, "раз", "раза", "раз")}`,
    leftOut: (count, why) => `отброшено ${count}: ${why}`,
  },
  procedure: {
    steps: {
      patient: { word: "Пациент", hint: "" },
      plan: { word: "План", hint: "Укажите о каждом очаге, что это." },
      "time-out": { word: "Тайм-аут", hint: "Читайте каждый пункт вслух и касайтесь его, когда он выполнен." },
      "skin scan": { word: "Поиск по коже", hint: "Медленно ведите зонд по коже, пока мишень не найдена." },
      incision: { word: "Разрез", hint: "Отметьте точку на коже и делайте разрез." },
      "in vivo": { word: "В ране", hint: "Следуйте указанию к мишени. Удалив, отметьте её в разделе «Иссечение»." },
      "ex vivo": { word: "Препарат", hint: "Сосчитайте каждый препарат на столике в разделе «Иссечение»." },
      bed: { word: "Ложе", hint: "Сосчитайте ложе каждой мишени в разделе «Иссечение»." },
      ended: { word: "Завершено", hint: "" },
    },
    reasons: ["Экстренно", "Прибор недоступен", "Решение хирурга", "Сделано иначе"],
    sorts: { target: "Мишень", injection: "Место введения", organ: "Орган", neither: "Иное" },
    draw: { target: "Нарисовать мишень", injection: "Нарисовать место введения" },
    erase: "Убрать",
    sides: { left: "слева у пациента", right: "справа у пациента", midline: "по средней линии" },
    deep: (mm) => `глубина ${mm} мм`,
    depthUnknown: "глубина неизвестна",
    activity: (mbq) => `сейчас ${mbq} МБк`,
    activityUnknown: "активность неизвестна",
    entered: (mbq, at) => `введено ${mbq} МБк на ${at}`,
    expect: (cps) => `на коже ожидается ${cps} имп/с`,
    mark: "Отметить",
    calibrate: "Калибровка",
    confirm: "Подтвердите имя и номер пациента на столе.",
    choose: "Выбрать пациента",
    report: "Отчёт",
    overrides: (count) => `С указанием причины: ${counted(count, "этап", "этапа", "этапов")}; отчёт их называет.`,
    endEarly: "Завершить досрочно",
    next: (step) => `Далее: ${step}`,
    back: (step) => `Назад: ${step}`,
    notYet: (need) => `Ещё нет: ${need}`,
    reason: "Причина",
    goOn: (step) => `Перейти: ${step}`,
    missing: "Не выполнено:",
    sayWhy: "Чтобы всё же продолжить, укажите причину; отчёт её назовёт.",
  },
  drawing: {
    activity: "Ожидаемая активность",
    noActivity: (written) => `${written}: это не активность: введите число больше 0 или ничего`,
    noTime: "Это не время: введите день и время или ничего",
    timeAlone: "Время без активности ничего не значит: введите оба или ничего",
    name: (sort, mm) => `${sort} ${mm} мм`,
    touch: (sort) => `${sort}: коснитесь места на срезе`,
    placed: (sort, mm) => `${sort}, ${mm} мм. Сдвиньте пальцем; размер: двумя пальцами, + или −`,
  },
  resection: {
    out: (name) => `${name} удалена`,
    noneLocated: "Ни одна мишень не найдена: отметить как удалённую нечего.",
    stop: "Стоп",
    counting: "… СЧЁТ",
    countBed: "Счёт ложа",
    notOut: "Вернуть",
    backgroundUnknown: "фон не сосчитан",
    background: (cps) => `фон ${cps} имп/с`,
    holdToSpecimen: "Приложите зонд к препарату вдали от пациента и сосчитайте его.",
    specimen: "Препарат",
    countBackground: "Фон",
    onTheBench: (background) => `На столике: ${background}`,
    of: (name) => `от: ${name}`,
    ofNone: "ничей",
    labelled: (number, name) => `Препарат ${number} от: ${name}`,
    undo: "Отменить",
    discard: (number) => `Исключить препарат ${number}`,
    row: (number, rest) => `Препарат ${number}: ${rest}`,
    notCounted: "ЛОЖЕ НЕ СОСЧИТАНО",
    holdOverBed: "Держите зонд над ложем, затем сосчитайте.",
    decisions: { removed: "✓ УДАЛЕНА", "still there": "▲ ЕЩЁ ТАМ", "count on": "◆ СЧИТАТЬ ДАЛЬШЕ" },
    atLeast: (share) => `Осталось не меньше ${share}`,
    atMost: (share) => `Могло остаться не больше ${share}`,
    holdMore: (seconds) => `держите ещё ${seconds} с`,
    what: { bed: "ложе", specimen: "препарат", background: "фон" },
    progress: (what, seconds, counts) => `Счёт, ${what}: ${seconds} с, отсчётов ${counts}`,
    ofMost: (seconds, most) => `${seconds} из ${most}`,
    rules: { hottest: "МАКСИМУМ", hot: "▲ БОЛЬШЕ 10\u00a0%", cold: "✓ МЕНЬШЕ 10\u00a0%", undecided: "◆ СЧИТАТЬ СНОВА" },
    cannotTell: "НЕИЗВЕСТНО",
    tooHot: "слишком горячо",
    any: "любого",
    between: (low, high) => `от ${low} до ${high}\u00a0%`,
    ofHottest: (best, between) => `${best}\u00a0% от максимума (${between})`,
  },
  calibration: {
    title: "Кончик, задержка, совмещение",
    noTracker: "Трекер не задан в файле площадки: калибровать нечего",
    silent: "Служба не отвечает: о калибровке ничего не известно",
    steps: {
      tool: { word: "Кончик и ось зонда", hint: "В лунке: наклоняйте, затем вращайте. Делает инженер, пока нет пациента." },
      axis: { word: "Ось по счёту", hint: "Качать над точечным источником. Делает инженер, пока нет пациента." },
      timing: { word: "Задержка счёта", hint: "Туда и обратно над точечным источником. Делает инженер, пока нет пациента." },
      register: { word: "Совместить с пациентом", hint: "Коснитесь точек, отмеченных на её снимке в 3D Slicer (.mrk.json)." },
      verify: { word: "Проверить совмещение", hint: "Снова коснитесь одной из его точек." },
    },
    phases: {
      idle: "",
      working: "Минуту",
      waiting: "",
      measuring: "",
      judging: "Не удалось. Что делать?",
      accepting: "Удалось, ещё не записано. Использовать?",
      ended: "",
    },
    howFar: "Сколько сделано",
    begin: "Начать",
    ready: "Начали",
    again: "Повторить",
    without: "Дальше без этого",
    use: "Использовать",
    discard: "Отбросить",
    end: "Прекратить",
    passed: "✓ СДЕЛАНО",
    notPassed: "▲ НЕ СДЕЛАНО",
    good: "✓ УДАЛОСЬ",
    bad: "▲ НЕ УДАЛОСЬ",
    wanted: (limit) => `требуется: ${limit}`,
    choose: "Выбрать точки …",
    chosen: (file, count) => `${file}: коснуться ${counted(count, "точки", "точек", "точек")}`,
    notLandmarks: (file) => `${file}: нет точек 3D Slicer: сохраните их там как .mrk.json`,
    anyOrder: "В любом порядке",
    withSkin: "И по коже",
    lies: { supine: "Лежит на спине", prone: "Лежит на животе", left: "Лежит на левом боку", right: "Лежит на правом боку" },
    noneRegistered: "Ещё ничего не совмещено.",
  },
  signIn: {
    name: "Имя",
    token: "Код этого экрана",
    secret: "Пароль",
    letIn: "Допустить этот экран",
    notAdmitted: "Этот экран не допущен",
    who: "Кто действует?",
    noNeed: "В этой операционной вход не нужен",
    noAnswer: "Служба не отвечает",
  },
  studies: {
    title: "Исследования",
    isThis: "Это пациент на столе?",
    unknown: "Служба ещё не сообщила, что получено.",
    empty: "Исследований ещё нет. Отправьте с консоли.",
    partial: "Войдите, чтобы увидеть полученные исследования",
    failed: (why) => `Список не загружается (${why}).`,
    accepted: "принято",
    refused: (why) => `отклонено: ${why}`,
    missing: "отсутствует",
    noDescription: "без описания",
    from: (objects, sender) => `${objects} от ${sender}`,
    objects: (count) => counted(count, "объект", "объекта", "объектов"),
    conflicts: (objects) => `${objects} пришли снова с другим содержанием; хранятся все, по правилу отправителя выбран один`,
    inUse: "Используется",
    confirmPatient: "Подтвердить пациента",
    use: "Взять это исследование",
    name: "Имя",
    id: "Номер",
    bothMatch: "Оба совпадают: взять исследование",
    notThis: "Не этот пациент",
    compare: "Сверьте с браслетом и коснитесь того, что совпадает.",
    touch: "коснитесь, если совпадает",
    matches: "✓ совпадает",
    notInUse: (why) => `Не взято: ${why}`,
  },
  worklist: {
    title: "Список на сегодня",
    ask: "Спросить, кто назначен на сегодня",
    none: "На сегодня никто не назначен.",
    failed: (why) => `Список не получен (${why}).`,
    born: (day) => `род. ${day}`,
    noProcedure: "без процедуры",
    bothMatch: "Оба совпадают: начать операцию",
    notBegun: (why) => `Не начато: ${why}`,
  },
  frames: {
    joined: (by) => `КТ и активность: ${by}`,
    apart: "Не взято: неизвестно, как лежат друг к другу две системы координат этого исследования.",
    ask: "Это одно пространство",
    sure: "Отвечаю за это: ни пациент, ни стол между ними не двигались",
  },
  service,
};
