"""Every command of ``flask --app app``: the only place that knows all of them."""

import click

from jay.auth import cli as auth_cli
from jay.connectors import cli as connectors_cli
from jay.feeds import cli as feeds_cli
from jay.feeds import pull_cli
from jay.legal import cli as legal_cli
from jay.legal import seller_cli
from jay.merchants import cli as merchants_cli
from jay.operators import cli as operators_cli
from jay.ops import backup_cli, distribute_cli, removal_cli, reseal_cli
from jay.ops import cli as ops_cli
from jay.ops import worker as ops_worker
from jay.orders import cli as orders_cli
from jay.orders import withdrawal_cli
from jay.outbox import cli as outbox_cli
from jay.partners import cli as partners_cli
from jay.pictures import cli as pictures_cli
from jay.privacy import cli as privacy_cli
from jay.products import cli as products_cli

COMMANDS = (
    ops_cli.db_cli,
    ops_cli.demo_cli,
    ops_cli.baskets_cli,
    partners_cli.partner_cli,
    merchants_cli.merchant_cli,
    legal_cli.legal_cli,
    auth_cli.key_cli,
    auth_cli.guest_key_cli,
    reseal_cli.secret_cli,
    operators_cli.operator_cli,
    products_cli.products_cli,
    orders_cli.orders_cli,
    privacy_cli.customer_cli,
    outbox_cli.webhooks_cli,
    ops_worker.worker,
)
OF_OTHERS = (
    (ops_cli.db_cli, (*backup_cli.COMMANDS, *distribute_cli.COMMANDS)),
    (orders_cli.orders_cli, (*withdrawal_cli.COMMANDS, *privacy_cli.COMMANDS)),
    (partners_cli.partner_cli, (removal_cli.remove_partner,)),
    (
        merchants_cli.merchant_cli,
        (removal_cli.remove_merchant, seller_cli.merchant_legal, *connectors_cli.COMMANDS),
    ),
    (
        products_cli.products_cli,
        (*feeds_cli.COMMANDS, *pull_cli.COMMANDS, *pictures_cli.COMMANDS),
    ),
)
"""Groups, and their commands of packages that stand right of theirs."""


def add_to(cli: click.Group) -> None:
    """Give a group all commands."""
    for group, commands in OF_OTHERS:
        for command in commands:
            group.add_command(command)
    for each in COMMANDS:
        cli.add_command(each)
