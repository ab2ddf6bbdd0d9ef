"""The page's words, in every language of the console.

A catalogue in Python and not in `.po` files as long as there is one page: the type checker demands
that no language lacks a word, and nothing has to be compiled at set-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portero.console import deeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language. Of a pair, the first says what was done, the second what was wanted."""

    code: str
    moment: str
    """Django's date format of a row."""
    title: str
    lead: str
    skip: str
    pause: str
    resume: str
    refreshes: str
    paused: str
    running: str
    gateway: str
    lease_live: str
    lease_lapsed: str
    started: str
    no_gateway: str
    sandbox: str
    sandbox_answers: str
    sandbox_silent: str
    meta: str
    meta_direct: str
    database: str
    database_answers: str
    policy_version: str
    decisions: str
    decisions_lead: str
    changes: str
    changes_lead: str
    times_of: str
    refused: str
    failed: str
    broken_off: str
    partial: str
    stopped: str
    unknown: str
    unknown_sent: str
    pending: str
    done: str
    recipient: str
    on_number: str
    why: str
    seen_as: str
    commanded: str
    """Before a command of the server."""
    empty_title: str
    empty_lead: str
    empty_hint: str
    away_title: str
    away_lead: str
    masked: str
    to: str
    generic: tuple[str, str]
    sending: tuple[str, str]
    content: Mapping[str, str]
    """Permission of a sent message → what was sent."""
    events: Mapping[str, tuple[str, str]]
    reasons: Mapping[str, str]


SPANISH = Words(
    code="es",
    moment="j b, H:i:s",
    title="Actividad",
    lead="Lo que tus programas pidieron, lo que Portero respondió y por qué.",
    skip="Saltar al contenido",
    pause="Pausar",
    resume="Reanudar",
    refreshes="Cambia a la vista",
    paused="En pausa",
    running="En marcha",
    gateway="Gateway",
    lease_live="activo",
    lease_lapsed="sin permiso para enviar",
    started="desde las",
    no_gateway="Ningún proceso del gateway está en marcha. Nada sale hacia Meta.",
    sandbox="Sandbox",
    sandbox_answers="responde en lugar de Meta",
    sandbox_silent="no responde",
    meta="Meta",
    meta_direct="las llamadas salen hacia Meta",
    database="Base de datos",
    database_answers="responde",
    policy_version="política, versión",
    decisions="Últimas decisiones",
    decisions_lead="Las 50 más recientes, la última primero.",
    changes="Últimos cambios",
    changes_lead="Quién dio, quitó o cambió algo: los 10 más recientes.",
    times_of="Todas las horas son de",
    refused="Denegado",
    failed="Meta lo rechazó",
    broken_off="Se interrumpió",
    partial="Hecho en parte",
    stopped="No se envió nada",
    unknown="No se sabe cómo terminó",
    unknown_sent="No sabemos aún si llegó",
    pending="En curso",
    done="Hecho",
    recipient="un número que termina en",
    on_number="número",
    why="¿Por qué?",
    seen_as="con los ojos de",
    commanded="ejecutó en el servidor",
    empty_title="Nadie ha pedido nada todavía",
    empty_lead="Aquí aparecerá cada decisión, con su motivo. Pide la primera:",
    empty_hint="Cambia la clave por una tuya; portero key list dice cuáles hay.",
    away_title="La base de datos no responde",
    away_lead="Mientras tanto no sale ningún mensaje. portero doctor dice qué falta.",
    masked="De los números de los clientes solo se ven los dos últimos dígitos.",
    to="a",
    generic=("usó", "quiso usar"),
    sending=("envió", "quiso enviar"),
    content={
        "send:text": "un texto",
        "send:image": "una imagen",
        "send:video": "un video",
        "send:audio": "un audio",
        "send:voice": "una nota de voz",
        "send:document": "un documento",
        "send:sticker": "un sticker",
        "send:location": "una ubicación",
        "send:contacts": "una tarjeta de contacto",
        "send:reaction": "una reacción",
        "send:interactive_buttons": "un mensaje con botones",
        "send:interactive_list": "una lista",
        "send:interactive_cta": "un enlace",
        "send:interactive_flow": "un formulario",
        "send:interactive_location_request": "una solicitud de ubicación",
        "send:interactive_address": "una solicitud de dirección",
        "send:interactive_carousel": "un carrusel",
        "send:product": "un producto",
        "send:order": "un pedido",
        "send:template": "una plantilla",
    },
    events=deeds.IN_SPANISH,
    reasons={
        "permission_missing": "Su rol no incluye este permiso.",
        "unknown_permission": "Ese permiso no existe.",
        "unknown_principal": "En este espacio de trabajo no se conoce a quien lo pide.",
        "principal_inactive": "Su cuenta está desactivada.",
        "credential_inactive": "La clave ya no es válida.",
        "credential_expired": "La clave venció.",
        "key_revoked": "La clave está revocada.",
        "key_expired": "La clave venció.",
        "key_unknown": "Nadie conoce esta clave.",
        "key_malformed": "La clave no tiene la forma debida o llegó por donde no debía.",
        "outside_scope": "Su permiso no llega hasta aquí: otro número, otra plantilla u otro país.",
        "outside_reach": "Su permiso no alcanza conversaciones de otros.",
        "outside_hours": "Su permiso no vale a esta hora.",
        "outside_network": "Su permiso no vale desde esta red.",
        "factor_needed": "Hace falta un segundo factor reciente.",
        "binding_expired": "Su asignación terminó o aún no empieza.",
        "blocked_by_guardrail": "Un resguardo lo impide, lo pida quien lo pida.",
        "requirement_window": "Un resguardo pide una ventana abierta con el cliente.",
        "requirement_consent": "Un resguardo pide consentimiento, y no consta.",
        "requirement_fresh_factor": "Un resguardo pide un segundo factor reciente.",
        "requirement_second_person": "Hace falta que lo apruebe otra persona.",
        "rate_limited": "Demasiadas peticiones por segundo para su límite.",
        "day_limit": "Su límite del día está agotado.",
        "id_unknown": "Ese identificador no es de este espacio de trabajo.",
        "malformed": "La petición no está bien formada.",
        "never_offered": "Portero nunca ofrece esta operación.",
        "idempotency_key_reused": "La clave de idempotencia ya se usó para otra cosa.",
        "idempotency_in_progress": "La primera petición con esa clave sigue en curso.",
        "outcome_unknown": "Meta no respondió: no se sabe si ocurrió.",
        "answer_withheld": "La respuesta de Meta contenía lo que no debe salir.",
        "unavailable": "Portero no podía atender la petición; no se envió nada.",
        "beyond_own_rights": "Nadie da lo que no tiene.",
        "owner_needed": "Solo un propietario puede hacerle esto a un propietario.",
        "own_access": "Nadie se da acceso a sí mismo.",
        "only_looking": "Con la vista de otra persona o de un rol no se cambia nada.",
    },
)

PORTUGUESE = Words(
    code="pt-br",
    moment="j b, H:i:s",
    title="Atividade",
    lead="O que seus programas pediram, o que o Portero respondeu e por quê.",
    skip="Ir para o conteúdo",
    pause="Pausar",
    resume="Retomar",
    refreshes="Muda à vista",
    paused="Em pausa",
    running="Em funcionamento",
    gateway="Gateway",
    lease_live="ativo",
    lease_lapsed="sem permissão para enviar",
    started="desde",
    no_gateway="Nenhum processo do gateway está em funcionamento. Nada sai para a Meta.",
    sandbox="Sandbox",
    sandbox_answers="responde no lugar da Meta",
    sandbox_silent="não responde",
    meta="Meta",
    meta_direct="as chamadas saem para a Meta",
    database="Banco de dados",
    database_answers="responde",
    policy_version="política, versão",
    decisions="Últimas decisões",
    decisions_lead="As 50 mais recentes, a última primeiro.",
    changes="Últimas alterações",
    changes_lead="Quem deu, tirou ou alterou alguma coisa: as 10 mais recentes.",
    times_of="Todos os horários são do fuso",
    refused="Negado",
    failed="A Meta recusou",
    broken_off="Foi interrompido",
    partial="Feito em parte",
    stopped="Nada foi enviado",
    unknown="Não se sabe como terminou",
    unknown_sent="Ainda não sabemos se chegou",
    pending="Em andamento",
    done="Feito",
    recipient="um número que termina em",
    on_number="número",
    why="Por quê?",
    seen_as="com os olhos de",
    commanded="executou no servidor",
    empty_title="Ninguém pediu nada ainda",
    empty_lead="Cada decisão vai aparecer aqui, com o motivo. Peça a primeira:",
    empty_hint="Troque a chave por uma sua; portero key list diz quais existem.",
    away_title="O banco de dados não responde",
    away_lead="Enquanto isso, nenhuma mensagem sai. portero doctor diz o que falta.",
    masked="Dos números dos clientes, só aparecem os dois últimos dígitos.",
    to="para",
    generic=("usou", "quis usar"),
    sending=("enviou", "quis enviar"),
    content={
        "send:text": "um texto",
        "send:image": "uma imagem",
        "send:video": "um vídeo",
        "send:audio": "um áudio",
        "send:voice": "uma mensagem de voz",
        "send:document": "um documento",
        "send:sticker": "uma figurinha",
        "send:location": "uma localização",
        "send:contacts": "um cartão de contato",
        "send:reaction": "uma reação",
        "send:interactive_buttons": "uma mensagem com botões",
        "send:interactive_list": "uma lista",
        "send:interactive_cta": "um link",
        "send:interactive_flow": "um formulário",
        "send:interactive_location_request": "um pedido de localização",
        "send:interactive_address": "um pedido de endereço",
        "send:interactive_carousel": "um carrossel",
        "send:product": "um produto",
        "send:order": "um pedido de compra",
        "send:template": "um modelo",
    },
    events=deeds.IN_PORTUGUESE,
    reasons={
        "permission_missing": "O papel não inclui esta permissão.",
        "unknown_permission": "Essa permissão não existe.",
        "unknown_principal": "Neste espaço de trabalho não se conhece quem pediu.",
        "principal_inactive": "A conta está desativada.",
        "credential_inactive": "A chave não vale mais.",
        "credential_expired": "A chave expirou.",
        "key_revoked": "A chave foi revogada.",
        "key_expired": "A chave expirou.",
        "key_unknown": "Ninguém conhece esta chave.",
        "key_malformed": "A chave não tem a forma certa ou veio por onde não devia.",
        "outside_scope": "A permissão não chega até aqui: outro número, outro modelo ou outro país.",
        "outside_reach": "A permissão não alcança conversas de outras pessoas.",
        "outside_hours": "A permissão não vale a esta hora.",
        "outside_network": "A permissão não vale a partir desta rede.",
        "factor_needed": "É preciso um segundo fator recente.",
        "binding_expired": "A atribuição terminou ou ainda não começou.",
        "blocked_by_guardrail": "Uma proteção impede isso, seja quem for que peça.",
        "requirement_window": "Uma proteção exige uma janela aberta com o cliente.",
        "requirement_consent": "Uma proteção exige consentimento, e não há registro dele.",
        "requirement_fresh_factor": "Uma proteção exige um segundo fator recente.",
        "requirement_second_person": "É preciso que outra pessoa aprove.",
        "rate_limited": "Solicitações demais por segundo para o limite definido.",
        "day_limit": "O limite do dia acabou.",
        "id_unknown": "Esse identificador não é deste espaço de trabalho.",
        "malformed": "A solicitação não está bem formada.",
        "never_offered": "O Portero nunca oferece esta operação.",
        "idempotency_key_reused": "A chave de idempotência já foi usada para outra coisa.",
        "idempotency_in_progress": "A primeira solicitação com essa chave ainda está em andamento.",
        "outcome_unknown": "A Meta não respondeu: não se sabe se aconteceu.",
        "answer_withheld": "A resposta da Meta continha o que não deve sair.",
        "unavailable": "O Portero não pôde atender a solicitação; nada foi enviado.",
        "beyond_own_rights": "Ninguém dá o que não tem.",
        "owner_needed": "Só quem é proprietário pode fazer isso com um proprietário.",
        "own_access": "Ninguém dá acesso a si mesmo.",
        "only_looking": "Com a visão de outra pessoa ou de um papel não se muda nada.",
    },
)

ENGLISH = Words(
    code="en",
    moment="j M, H:i:s",
    title="Activity",
    lead="What your programs asked for, what Portero answered, and why.",
    skip="Skip to the content",
    pause="Pause",
    resume="Resume",
    refreshes="Changes as it happens",
    paused="Paused",
    running="Running",
    gateway="Gateway",
    lease_live="live",
    lease_lapsed="may not send: its lease lapsed",
    started="since",
    no_gateway="No gateway process is running. Nothing leaves for Meta.",
    sandbox="Sandbox",
    sandbox_answers="answers in Meta's place",
    sandbox_silent="does not answer",
    meta="Meta",
    meta_direct="calls leave for Meta",
    database="Database",
    database_answers="answers",
    policy_version="policy, version",
    decisions="Latest decisions",
    decisions_lead="The newest 50, the last one first.",
    changes="Latest changes",
    changes_lead="Who gave, took away or changed something: the newest 10.",
    times_of="All times are those of",
    refused="Refused",
    failed="Meta turned it down",
    broken_off="Broken off",
    partial="Done in part",
    stopped="Nothing was sent",
    unknown="How it ended is not known",
    unknown_sent="We don't know yet whether it arrived",
    pending="Under way",
    done="Done",
    recipient="a number ending in",
    on_number="number",
    why="Why?",
    seen_as="with the eyes of",
    commanded="ran on the server",
    empty_title="Nobody has asked for anything yet",
    empty_lead="Every decision will appear here, with its reason. Ask for the first one:",
    empty_hint="Put a key of yours in; portero key list says which there are.",
    away_title="The database does not answer",
    away_lead="Meanwhile no message leaves. portero doctor says what is missing.",
    masked="Customers' numbers are shown by their last two digits only.",
    to="to",
    generic=("used", "wanted to use"),
    sending=("sent", "wanted to send"),
    content={
        "send:text": "a text",
        "send:image": "an image",
        "send:video": "a video",
        "send:audio": "an audio file",
        "send:voice": "a voice note",
        "send:document": "a document",
        "send:sticker": "a sticker",
        "send:location": "a location",
        "send:contacts": "a contact card",
        "send:reaction": "a reaction",
        "send:interactive_buttons": "a message with buttons",
        "send:interactive_list": "a list",
        "send:interactive_cta": "a link",
        "send:interactive_flow": "a form",
        "send:interactive_location_request": "a request for a location",
        "send:interactive_address": "a request for an address",
        "send:interactive_carousel": "a carousel",
        "send:product": "a product",
        "send:order": "an order",
        "send:template": "a template",
    },
    events=deeds.IN_ENGLISH,
    reasons={
        "permission_missing": "Its role does not include this permission.",
        "unknown_permission": "There is no such permission.",
        "unknown_principal": "Nobody knows it in this workspace.",
        "principal_inactive": "Its account is disabled.",
        "credential_inactive": "The key no longer holds.",
        "credential_expired": "The key expired.",
        "key_revoked": "The key is revoked.",
        "key_expired": "The key expired.",
        "key_unknown": "Nobody knows this key.",
        "key_malformed": "The key is not written as a key is, or came where it must not.",
        "outside_scope": "Its permission does not reach here: another number, template or country.",
        "outside_reach": "Its permission does not reach other people's conversations.",
        "outside_hours": "Its permission does not hold at this hour.",
        "outside_network": "Its permission does not hold from this network.",
        "factor_needed": "A fresh second factor is needed.",
        "binding_expired": "Its binding has ended, or has not begun.",
        "blocked_by_guardrail": "A guardrail prevents it, whoever asks.",
        "requirement_window": "A guardrail asks for an open window with the customer.",
        "requirement_consent": "A guardrail asks for consent, and none is on record.",
        "requirement_fresh_factor": "A guardrail asks for a fresh second factor.",
        "requirement_second_person": "A second person has to approve it.",
        "rate_limited": "Too many requests a second for its limit.",
        "day_limit": "Its limit for today is used up.",
        "id_unknown": "That id is not this workspace's.",
        "malformed": "The request is not well formed.",
        "never_offered": "Portero never offers this operation.",
        "idempotency_key_reused": "The idempotency key was used for something else.",
        "idempotency_in_progress": "The first request with that key is still under way.",
        "outcome_unknown": "Meta did not answer: whether it happened is not known.",
        "answer_withheld": "Meta's answer held what must not leave.",
        "unavailable": "Portero could not attend to it; nothing was sent.",
        "beyond_own_rights": "Nobody gives what they do not hold.",
        "owner_needed": "Only an owner can do this to an owner.",
        "own_access": "Nobody gives access to themselves.",
        "only_looking": "Seen as somebody else or as a role, nothing can be changed.",
    },
)

BY_CODE: Mapping[str, Words] = {words.code: words for words in (SPANISH, PORTUGUESE, ENGLISH)}
