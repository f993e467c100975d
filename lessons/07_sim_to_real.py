# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: From simulation to reality, pl: Z symulacji do rzeczywistości}
#     minutes: 60
#     seconds: 50
#     prerequisites: ["01_feature_extraction"]
# ---

# %% [markdown] lang="en"
# # From simulation to reality
#
# In a simulator a robot may fall ten thousand times a night; on the factory floor, not once. But no simulator is right. In this lesson a robot learns in wrong simulators, and is tested on a robot that it has never met.
#
# **After this lesson you will be able to**
#
# - train a policy in simulation and measure what becomes of it on a robot that is not quite the simulated one,
# - derive why a delay of a few hundredths of a second undoes a controller that does not mind four times the mass,
# - randomise physics, light and camera in training, and say what too narrow and too wide ranges do,
# - fit a simulator to a few runs of the real robot (system identification), and say what that gains and what it needs,
# - recognise where randomisation promises nothing.
#
# **You need**: [lesson 01](01_feature_extraction.ipynb), expected values, the absolute value of a complex number. Reinforcement learning is explained here as far as we need it. **Time**: about an hour; the code runs in
# a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Z symulacji do rzeczywistości
#
# W symulatorze robot może się przewrócić dziesięć tysięcy razy w ciągu nocy; w hali fabrycznej nie wolno mu ani razu. Żaden symulator nie jest jednak wierny. Tutaj robot uczy się w symulatorach, które się mylą, a to, czego się nauczył, sprawdzamy na innym robocie, nigdy przedtem niewidzianym.
#
# **Po tej lekcji będziesz umieć**
#
# - wytrenować politykę (ang. *policy*) w symulacji i zmierzyć, jak poradzi sobie na robocie nieco innym niż symulowany,
# - wyprowadzić, dlaczego opóźnienie (ang. *latency*) rzędu setnych części sekundy psuje regulator, któremu nie szkodzi czterokrotnie większa masa,
# - losowo zmieniać w treningu fizykę, światło i kamerę oraz powiedzieć, czym grożą zakresy zbyt wąskie i zbyt szerokie,
# - dopasować symulator do kilku przebiegów prawdziwego robota (identyfikacja systemu, ang. *system identification*) i powiedzieć, co to daje i czego wymaga,
# - rozpoznać, gdzie randomizacja niczego nie obiecuje.
#
# **Co trzeba umieć**: [lekcja 01](01_feature_extraction.ipynb), wartość oczekiwana, moduł liczby zespolonej. Uczenie ze wzmocnieniem (ang. *reinforcement learning*) wyjaśniamy tu w takim zakresie, jaki jest potrzebny. **Czas**: około godziny; kod wykonuje się
# około minuty. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("07_sim_to_real", lang="en")

# %% tags=["imports"]
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import torch

from tlcourse.backbones import load_backbone
from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, film, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.classroom.run import ROOT
from tlcourse.data.boards import GREEN, Conditions, make_boards
from tlcourse.feature_extraction import linear_probe
from tlcourse.rl.policies import load_policy
from tlcourse.rl.ppo import clipped_loss
from tlcourse.robots.drawing import play
from tlcourse.robots.imperfections import Latency, SensorNoise
from tlcourse.robots.inverted_pendulum import InvertedPendulum
from tlcourse.robots.lifting_arm import LiftingArm
from tlcourse.sim_to_real import DomainRandomization, Randomized, SimToRealTransfer, evaluate_policy
from tlcourse.system_identification import identify, record_trajectories
from tlcourse.training import evaluate, predict

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# A concert pianist meets another instrument every evening. If she has practised only on the one at home, heavier keys put her off, and an organ whose pipes speak late throws her out of time altogether. If she has practised on twenty, some of them odd, the twenty-first is just one more. She need not know what is different about it; she has found a way of playing that works on all of them.
#
# **Domain randomization** does the same for a robot: each attempt in training takes place in another simulator, with other masses, other friction, another delay, another light. If they differ enough, reality is just one variation more (Tobin et al. 2017, [arXiv 1703.06907](https://arxiv.org/abs/1703.06907)). What separates simulators from reality is called the **reality gap**; carrying over what was learned, **sim-to-real** transfer.
#
# **Six words first.** Our robot is an **inverted pendulum**: a cart on a rail that must balance a pole. In every step, fifty times a second, it *observes* its **state**: where the cart is, how the pole leans, how fast both are. The **policy**, a small network, answers with an **action**: how hard to push. For every step that the pole stands there is a **reward**: 1 in the middle of the rail, a little less away from it. An **episode** ends when the pole leans by more than 0.2 rad, or after 250 steps, that is 5 seconds; the sum of its rewards is the **return**, at most 250. *Reinforcement learning* changes the policy's weights, by trial and error alone, until the return is high.
#
# **And a warning.** We have no real robot here. What we call *real* is another simulation, with physics and a delay that training is not shown. That is an honest test of what we study, but a mild one: it contains nothing that nobody thought of.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Pianistka koncertowa co wieczór gra na innym instrumencie. Jeśli ćwiczyła tylko na tym, który ma w domu, cięższe klawisze ją rozproszą, a organy, których piszczałki odzywają się z opóźnieniem, zupełnie wybiją ją z rytmu. Jeśli ćwiczyła na dwudziestu, w tym na paru dziwacznych, dwudziesty pierwszy będzie po prostu kolejnym. Nie musi wiedzieć, czym ten instrument się różni; znalazła sposób gry, który sprawdza się na wszystkich.
#
# **Randomizacja domeny** (ang. *domain randomization*) robi to samo z robotem: każda próba w treningu odbywa się w innym symulatorze, z inną masą, innym tarciem, innym opóźnieniem, innym światłem. Jeśli różnią się dostatecznie, rzeczywistość jest tylko kolejną odmianą (Tobin i in. 2017, [arXiv 1703.06907](https://arxiv.org/abs/1703.06907)). To, co dzieli symulatory od rzeczywistości, nazywa się **luką rzeczywistości** (ang. *reality gap*), a przeniesienie tego, czego robot się nauczył, **transferem z symulacji do rzeczywistości** (ang. *sim-to-real*).
#
# **Najpierw sześć słów.** Nasz robot to **odwrócone wahadło** (ang. *inverted pendulum*): wózek na szynie, który ma utrzymać pręt w pionie. W każdym kroku, pięćdziesiąt razy na sekundę, *obserwuje* swój **stan** (ang. *state*): gdzie jest wózek, jak pochylony jest pręt i jak szybko jedno i drugie się zmienia. **Polityka**, mała sieć, odpowiada **akcją** (ang. *action*): jak mocno pchnąć. Za każdy krok, w którym pręt stoi, jest **nagroda** (ang. *reward*): 1 pośrodku szyny, trochę mniej dalej od środka. **Epizod** (ang. *episode*) kończy się, gdy pręt wychyli się o więcej niż 0,2 rad, albo po 250 krokach, czyli po 5 sekundach; suma nagród z epizodu to **zwrot** (ang. *return*), najwyżej 250. *Uczenie ze wzmocnieniem* zmienia wagi polityki tak długo, aż zwrot będzie wysoki, a uczy się wyłącznie na własnych próbach.
#
# **I zastrzeżenie.** Prawdziwego robota tu nie mamy. To, co nazywamy *prawdziwym*, jest drugą symulacją, o fizyce i opóźnieniu, których trening nie widzi. To uczciwy sprawdzian tego, co badamy, ale łagodny: nie ma w nim niczego, o czym nikt nie pomyślał.

# %% [markdown] lang="en"
# ## The mathematics
#
# **What is maximised.** Let $\xi$ stand for everything that can differ between simulators: mass, friction, delay, noise. We choose a distribution $p(\xi)$: the ranges. With $\tau$ for an episode that the policy $\pi$ lives through in the simulator $\xi$, with rewards $r_t$ and a discount $\gamma = 0.98$, which makes late rewards count a little less, the objective is
#
# $$J(\pi) = \mathbb{E}_{\xi \sim p(\xi)}\, \mathbb{E}_{\tau \sim (\pi, \xi)} \Big[ \sum_t \gamma^t r_t \Big] .$$
#
# Without randomisation $p$ allows one value only, the *nominal* one, which the simulator's author took for right.
#
# **Why that should help in reality.** Call the inner expectation $J_\xi(\pi)$: how good the policy is in simulator $\xi$. Let $J_{\max}$ be a number that no policy exceeds in any of them, and $\Delta = J_{\max} - J(\pi)$ what is missing on average. Let $\xi$ take separate values, as a delay counted in steps does. Each term of the sum
#
# $$\Delta = \sum_\xi p(\xi) \big( J_{\max} - J_\xi(\pi) \big)$$
#
# is at least zero, so the sum is at least as large as any single one of its terms. Take the one that belongs to reality, and solve:
#
# $$J_{\xi_{\text{real}}}(\pi) \;\ge\; J_{\max} - \frac{\Delta}{p(\xi_{\text{real}})} .$$
#
# All of this lesson is in this line:
#
# - The less is missing on average, and the more probable the real robot is under $p$, the better the policy must be there: **if reality is among the simulators, and not as a rarity**.
# - If it is not, $p(\xi_{\text{real}}) = 0$, and nothing is promised. (Quantities without separate values need a neighbourhood: if the policy fares about equally in all simulators close to reality, their common probability takes the place of $p(\xi_{\text{real}})$.)
# - **Too narrow** and **too wide** are both bad. Narrow ranges may miss reality: the policy is precise about a robot that does not exist, a *bias*. Wide ranges make $p(\xi_{\text{real}})$ smaller and $\Delta$ larger, as one policy has to suit more robots; and whatever is learned from a few of them is noisier, a *variance*. So we expect a curve with a top.
# %% [markdown] lang="pl"
# ## Matematyka
#
# **Co maksymalizujemy.** Niech $\xi$ oznacza wszystko, czym symulatory mogą się różnić: masę, tarcie, opóźnienie, szum. Wybieramy rozkład $p(\xi)$, czyli zakresy. Niech $\tau$ oznacza epizod, który polityka $\pi$ przechodzi w symulatorze $\xi$, $r_t$ jego nagrody, a $\gamma = 0{,}98$ dyskonto, przez które późne nagrody liczą się trochę mniej. Funkcja celu to
#
# $$J(\pi) = \mathbb{E}_{\xi \sim p(\xi)}\, \mathbb{E}_{\tau \sim (\pi, \xi)} \Big[ \sum_t \gamma^t r_t \Big] .$$
#
# Bez randomizacji $p$ dopuszcza tylko jedną wartość, *nominalną*, którą autor symulatora uznał za właściwą.
#
# **Dlaczego miałoby to pomóc w rzeczywistości.** Oznacz wewnętrzną wartość oczekiwaną przez $J_\xi(\pi)$: mówi, jak dobra jest polityka w symulatorze $\xi$. Niech $J_{\max}$ będzie liczbą, której żadna polityka w żadnym z nich nie przekroczy, a $\Delta = J_{\max} - J(\pi)$ tym, ile do niej średnio brakuje. Niech $\xi$ przyjmuje wartości dyskretne, tak jak opóźnienie liczone w krokach. Każdy składnik sumy
#
# $$\Delta = \sum_\xi p(\xi) \big( J_{\max} - J_\xi(\pi) \big)$$
#
# jest nieujemny, więc suma jest nie mniejsza niż każdy z nich. Weź ten, który odpowiada rzeczywistości, i przekształć:
#
# $$J_{\xi_{\text{rzecz.}}}(\pi) \;\ge\; J_{\max} - \frac{\Delta}{p(\xi_{\text{rzecz.}})} .$$
#
# W tym wierszu jest cała lekcja:
#
# - Im mniej średnio brakuje i im bardziej prawdopodobny jest w $p$ prawdziwy robot, tym lepsza musi być na nim polityka: **jeśli rzeczywistość jest wśród symulatorów, i to nie jako rzadkość**.
# - Jeśli jej tam nie ma, to $p(\xi_{\text{rzecz.}}) = 0$ i nic nie jest obiecane. (Dla wielkości ciągłych trzeba wziąć otoczenie: jeśli we wszystkich symulatorach bliskich rzeczywistości polityka radzi sobie mniej więcej tak samo, miejsce $p(\xi_{\text{rzecz.}})$ zajmuje ich łączne prawdopodobieństwo.)
# - I **za wąsko**, i **za szeroko** jest źle. Wąskie zakresy mogą ominąć rzeczywistość: polityka jest precyzyjna dla robota, który nie istnieje, czyli *obciążona*. Szerokie zmniejszają $p(\xi_{\text{rzecz.}})$ i zwiększają $\Delta$, bo jedna polityka musi pasować do większej liczby robotów; a to, czego uczy się z niewielu z nich, jest bardziej zaszumione, czyli ma większą *wariancję*. Spodziewamy się więc krzywej z wierzchołkiem.

# %% [markdown] lang="en"
# **Why a delay is so harmful.** Near the upright, the lean of a pole grows by a fixed factor in each step. Take the smallest system that does so: a deviation $x$ (for a pole the combination of lean and speed that grows; the other one dies out by itself), an action $u$, a factor $a > 1$ and a strength $b$ of the motor,
#
# $$x_{t+1} = a\, x_t + b\, u_t, \qquad u_t = -k\, x_{t-d} .$$
#
# The **controller**, a recipe for the action, reacts with *gain* $k$ to what it sees, and what it sees is $d$ steps old. With $\kappa = b k$ the closed loop is $x_{t+1} = a x_t - \kappa x_{t-d}$. Try $x_t = z^t$ and divide by $z^{t-d}$:
#
# $$z^{d+1} - a z^d + \kappa = 0 .$$
#
# Its $d + 1$ roots are the eigenvalues of the closed loop: a solution is a sum of terms $c_i z_i^t$, so each step multiplies each term by its root. The pole stays up if **all** of them have $|z| < 1$. The largest $|z|$ is called the *spectral radius*.
#
# *No delay*, $d = 0$: $z = a - \kappa$. Every gain from $a - 1$ to $a + 1$ works, and $\kappa = a$ is perfect: the deviation is gone after one step. A motor $g$ times as strong multiplies $b$ and so $\kappa$ by $g$. There is a lot of room: this controller forgives wrong masses and motors.
#
# *With a delay*, stability is lost where a root sits on the unit circle, $z = e^{i\theta}$. One such place is $z = 1$, where again $\kappa = a - 1$: less gain cannot hold the pole. For $\kappa = 0$ one root is outside, $z = a$, and the others are zero; as $\kappa$ grows, a root passes $z = 1$ with the speed $\mathrm{d}z / \mathrm{d}\kappa = -1 / (d + 1 - a d)$ (differentiate the equation). If $d + 1 > a d$ it moves inwards: it is the outer one, and now all are inside. If $d + 1 < a d$ a second one moves out there, and no gain is left. So a stabilising gain exists exactly if $d + 1 > a d$, that is,
#
# $$d < \frac{1}{a - 1} .$$
#
# For the other places put $z = e^{i\theta}$ into $\kappa = a z^d - z^{d+1}$. As $\kappa$ is real, the imaginary part must vanish:
#
# $$\sin\big((d+1)\,\theta\big) = a \sin(d\,\theta), \qquad\text{and}\qquad \kappa = |z|^d\, |a - z| = \sqrt{1 + a^2 - 2 a \cos\theta} .$$
#
# The smallest solution $\theta > 0$ gives the largest gain that is still stable; beyond it a pair of roots leaves the circle.
#
# The faster the fall, the shorter the delay that *any* such controller can bear; and long before, the room for gains shrinks. How fast does our pole fall? Ask the simulator: lean it by a thousandth of a radian, do nothing, and watch the factor.
# %% [markdown] lang="pl"
# **Dlaczego opóźnienie tak szkodzi.** W pobliżu pionu odchylenie pręta mnoży się w każdym kroku przez stały czynnik. Weź najmniejszy układ, który tak robi: odchylenie $x$ (dla pręta ta kombinacja kąta i prędkości, która rośnie; druga zanika sama), akcja $u$, czynnik $a > 1$ i siła silnika $b$,
#
# $$x_{t+1} = a\, x_t + b\, u_t, \qquad u_t = -k\, x_{t-d} .$$
#
# **Regulator** (ang. *controller*), czyli przepis na akcję, reaguje ze *wzmocnieniem* (ang. *gain*; z „uczeniem ze wzmocnieniem” łączy je tylko słowo) $k$ na to, co widzi, a widzi stan sprzed $d$ kroków. Dla $\kappa = b k$ układ zamknięty to $x_{t+1} = a x_t - \kappa x_{t-d}$. Podstaw $x_t = z^t$ i podziel przez $z^{t-d}$:
#
# $$z^{d+1} - a z^d + \kappa = 0 .$$
#
# Jego $d + 1$ pierwiastków to wartości własne układu zamkniętego: rozwiązanie jest sumą wyrazów $c_i z_i^t$, więc każdy krok mnoży każdy wyraz przez jego pierwiastek. Pręt stoi, jeśli **wszystkie** spełniają $|z| < 1$. Największe $|z|$ nazywa się *promieniem spektralnym*.
#
# *Bez opóźnienia*, $d = 0$: $z = a - \kappa$. Działa każde wzmocnienie od $a - 1$ do $a + 1$, a $\kappa = a$ jest doskonałe: odchylenie znika po jednym kroku. Silnik $g$ razy mocniejszy mnoży przez $g$ siłę $b$, a więc i $\kappa$. Zapas jest duży: taki regulator wybacza błędną masę i błędną siłę silnika.
#
# *Z opóźnieniem* stabilność kończy się tam, gdzie pierwiastek leży na okręgu jednostkowym, $z = e^{i\theta}$. Jednym z takich miejsc jest $z = 1$ i znów $\kappa = a - 1$: mniejsze wzmocnienie nie utrzyma pręta. Dla $\kappa = 0$ jeden pierwiastek jest na zewnątrz, $z = a$, a pozostałe są zerami; gdy $\kappa$ rośnie, pewien pierwiastek przechodzi przez $z = 1$ z prędkością $\mathrm{d}z / \mathrm{d}\kappa = -1 / (d + 1 - a d)$ (zróżniczkuj równanie). Jeśli $d + 1 > a d$, wchodzi do środka: to ten zewnętrzny i odtąd wszystkie są w środku. Jeśli $d + 1 < a d$, wychodzi tam drugi i nie zostaje żadne dobre wzmocnienie. Stabilizujące wzmocnienie istnieje więc dokładnie wtedy, gdy $d + 1 > a d$, czyli
#
# $$d < \frac{1}{a - 1} .$$
#
# Dla pozostałych miejsc wstaw $z = e^{i\theta}$ do $\kappa = a z^d - z^{d+1}$. Ponieważ $\kappa$ jest rzeczywiste, część urojona musi zniknąć:
#
# $$\sin\big((d+1)\,\theta\big) = a \sin(d\,\theta), \qquad\text{a stąd}\qquad \kappa = |z|^d\, |a - z| = \sqrt{1 + a^2 - 2 a \cos\theta} .$$
#
# Najmniejsze rozwiązanie $\theta > 0$ daje największe wzmocnienie, które jest jeszcze stabilne; powyżej niego para pierwiastków opuszcza okrąg.
#
# Im szybszy upadek, tym krótsze opóźnienie zniesie *jakikolwiek* taki regulator; a na długo przedtem zapas wzmocnienia topnieje. Jak szybko pada nasz pręt? Zapytaj symulator: pochyl go o jedną tysięczną radiana, nic nie rób i patrz, jaki jest czynnik.

# %%
fall = InvertedPendulum(1)
fall.reset(options={"observations": np.array([[0, 0.001, 0, 0]])})
lean = [fall.step(np.zeros((1, 1)))[0][0, 1] for _ in range(40)]
a = lean[-1] / lean[-2]
print(t(f"The lean grows by a = {a:.3f} a step, so d < {1 / (a - 1):.1f} steps of {fall.dt} s.",
        f"Odchylenie rośnie w każdym kroku a = {a:.3f} razy, więc d < {1 / (a - 1):.1f} kroku po {fall.dt} s."))


def radius(kappa, d):
    polynomial = np.r_[1, -a, np.zeros(d)]
    polynomial[-1] += kappa
    return np.abs(np.roots(polynomial)).max()


delays, gains = np.arange(13), np.geomspace(0.05, 2.2, 160)
radii = np.array([[radius(kappa, d) for kappa in gains] for d in delays])
# en: The gain whose worst radius over the delays 0 to D is smallest.
# pl: Wzmocnienie, którego najgorszy promień dla opóźnień od 0 do D jest najmniejszy.
worst = np.maximum.accumulate(radii)
best = worst.argmin(1)

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
left.contourf(delays, gains, radii.T < 1, levels=[0.5, 1], colors=[palette("sky")])
left.text(0.3, 0.12, t("stable", "stabilne"))
left.axhline(a, color=palette("red"), label=t("best without delay: κ = a", "najlepsze bez opóźnienia: κ = a"))
reachable = worst.min(1) < 1
left.plot(delays[reachable], gains[best][reachable], "o-", color=palette("black"), label=t("best for all from 0 to d", "najlepsze dla wszystkich od 0 do d"))
left.set(yscale="log", xlabel=t("delay d in steps", "opóźnienie d w krokach"), ylabel="κ", yticks=[0.1, 0.3, 1, 2], yticklabels=[0.1, 0.3, 1, 2])
right.plot(delays[reachable], np.log(0.1) / np.log(worst.min(1)[reachable]), "o-", color=palette("black"))
right.axvline(1 / (a - 1), color=palette("red"), linestyle=":", label="1 / (a − 1)")
right.set(yscale="log", xlabel=t("made for all delays from 0 to d", "na wszystkie opóźnienia od 0 do d"), ylabel=t("steps to shrink to a tenth", "kroki, by zmalało do 1/10"))
for ax in (left, right):
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=9)
show(fig, alt=t("Left: the stable gains, a wide band without delay, narrow to a point at eleven steps. Right: a gain for longer delays is slower and slower, until none is stable.",
                "Po lewej: stabilne wzmocnienia, bez opóźnienia szeroki pas, zwężają się do punktu przy jedenastu krokach. Po prawej: wzmocnienie na dłuższe opóźnienia działa coraz wolniej, aż żadne nie jest stabilne."))

# %% [markdown] lang="en"
# Left: the blue region is stable. Without delay the largest stable gain is more than twenty times the smallest; with three steps it is about four times; at eleven nothing is left, as the formula says. The red line is the controller that is perfect in a simulator without delay: **one step of delay and it is unstable.** The black one is designed for all delays up to $d$. It does not know the delay; it is simply *gentle*. Right: the price. The longer the delays it is made for, the longer it needs to bring a deviation down to a tenth, also when there is no delay at all. That is the trade between robust and optimal; and beyond $1/(a-1)$ there is nothing to trade: too wide.
#
# Our robot sees velocities, too, and its policy is not linear, so these numbers are a guide and no more. What to look for is clear, though: a nominal policy with a high gain, a randomised one with a low gain.
#
# **How the policy learns.** PPO (*proximal policy optimization*, Schulman et al. 2017, [arXiv 1707.06347](https://arxiv.org/abs/1707.06347)) gathers experience with the policy of the moment, $\pi_{\text{old}}$, and then improves it. Two networks are trained. The policy $\pi(u \mid s)$ gives, for a state $s$, a normal distribution of actions $u$: its mean is the network's output, its width is how boldly something else is tried out. The **value function** $V(s)$ guesses the discounted return that is still to come. With it one can say whether an action turned out better than expected. The surprise in step $t$, and the **advantage** of its action, which sums up all surprises from there to the end of the episode (*generalized advantage estimation*, Schulman et al. 2016, [arXiv 1506.02438](https://arxiv.org/abs/1506.02438)), are
#
# $$\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t), \qquad A_t = \sum_{l \ge 0} (\gamma \lambda)^l\, \delta_{t+l} .$$
#
# $\lambda = 0.95$ says how far ahead surprises count. Actions with $A_t > 0$ should become more probable, the others less. With the ratio $\varrho_t = \pi(u_t \mid s_t) / \pi_{\text{old}}(u_t \mid s_t)$ the loss is
#
# $$L = -\,\mathbb{E}_t \big[ \min\!\big( \varrho_t A_t,\; \mathrm{clip}(\varrho_t, 1 - \varepsilon, 1 + \varepsilon)\, A_t \big) \big], \qquad \varepsilon = 0.2 .$$
#
# Clipping removes the incentive to go on: once an action has become 20 % more (or less) probable, as its advantage asked for, its gradient is zero. The experience was gathered by the old policy and says little about one that is far from it. (The minimum keeps the gradient where a step went the *wrong* way.)
#
# **What randomisation adds to this: nothing but another robot in every episode.** Loss and networks stay as they are.
#
# ## The code
#
# The loss; a draw of n robots; and the wrapper around the simulator that gives each episode another one.
# %% [markdown] lang="pl"
# Po lewej: obszar niebieski jest stabilny. Bez opóźnienia największe stabilne wzmocnienie jest ponad dwadzieścia razy większe od najmniejszego; przy trzech krokach około czterech razy; przy jedenastu nie zostaje nic, tak jak mówi wzór. Czerwona linia to regulator doskonały w symulatorze bez opóźnienia: **jeden krok opóźnienia i jest niestabilny.** Czarna jest zaprojektowana na wszystkie opóźnienia do $d$. Nie zna opóźnienia; jest po prostu *łagodna*. Po prawej: cena. Im dłuższe opóźnienia ma znosić, tym dłużej sprowadza odchylenie do jednej dziesiątej, także wtedy, gdy opóźnienia nie ma. To kompromis: odporność kosztem szybkości. Od $1/(a-1)$ wzwyż nie ma już z czego ustępować: zakres jest za szeroki.
#
# Nasz robot widzi także prędkości, a jego polityka nie jest liniowa, więc te liczby są tylko wskazówką. Wiadomo jednak, czego szukać: nominalnej polityki o dużym wzmocnieniu i randomizowanej o małym.
#
# **Jak uczy się polityka.** PPO (ang. *proximal policy optimization*, Schulman i in. 2017, [arXiv 1707.06347](https://arxiv.org/abs/1707.06347)) zbiera doświadczenia za pomocą bieżącej polityki $\pi_{\text{stara}}$, a potem ją poprawia. Trenowane są dwie sieci. Polityka $\pi(u \mid s)$ podaje dla stanu $s$ rozkład normalny akcji $u$: jego średnia to wyjście sieci, a szerokość mówi, jak śmiało próbować czegoś innego. **Funkcja wartości** (ang. *value function*) $V(s)$ szacuje, jaki zwrot (z dyskontem) jeszcze nadejdzie. Dzięki niej można powiedzieć, czy akcja wypadła lepiej, niż oczekiwano. Zaskoczenie w kroku $t$ oraz **przewaga** (ang. *advantage*) akcji, która sumuje wszystkie zaskoczenia od tego kroku do końca epizodu (ang. *generalized advantage estimation*, Schulman i in. 2016, [arXiv 1506.02438](https://arxiv.org/abs/1506.02438)), to
#
# $$\delta_t = r_t + \gamma V(s_{t+1}) - V(s_t), \qquad A_t = \sum_{l \ge 0} (\gamma \lambda)^l\, \delta_{t+l} .$$
#
# $\lambda = 0{,}95$ mówi, jak daleko naprzód liczą się zaskoczenia. Akcje o $A_t > 0$ mają stać się bardziej prawdopodobne, pozostałe mniej. Z ilorazem $\varrho_t = \pi(u_t \mid s_t) / \pi_{\text{stara}}(u_t \mid s_t)$ strata wynosi
#
# $$L = -\,\mathbb{E}_t \big[ \min\!\big( \varrho_t A_t,\; \mathrm{clip}(\varrho_t, 1 - \varepsilon, 1 + \varepsilon)\, A_t \big) \big], \qquad \varepsilon = 0{,}2 .$$
#
# Obcinanie (ang. *clipping*) odbiera zachętę, żeby iść dalej: gdy akcja stała się już o 20 % bardziej (albo mniej) prawdopodobna, zgodnie ze znakiem przewagi, jej gradient jest zerem. Doświadczenia zebrała stara polityka i niewiele mówią o takiej, która jest od niej daleko. (Minimum zachowuje gradient tam, gdzie krok poszedł w *złą* stronę.)
#
# **Co dodaje do tego randomizacja? Tylko innego robota w każdym epizodzie.** Strata i sieci zostają takie same.
#
# ## Kod
#
# Oto strata, losowanie n robotów i opakowanie symulatora, które w każdym epizodzie podstawia innego robota.

# %%
show_source(clipped_loss)
show_source(DomainRandomization.sample)
show_source(Randomized)

# %% [markdown] lang="en"
# ## The experiment
#
# 64 robots are simulated at once (MuJoCo computes the physics). One policy is trained in the nominal simulator. The other one has the same network, the same number of steps and the same seed, but each episode has its own pole, rail, motor, delay and sensors. The *real* robot lies within the ranges, and neither policy meets it in training. The real robot's values were chosen by hand. Mass (of the pole), damping and the motor's strength are given as factors of their nominal values; dry friction is in newtons, latency in steps of 0.02 s, sensor noise in the units of what is observed.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Symulujemy naraz 64 roboty (fizykę liczy MuJoCo). Jedną politykę trenujemy w nominalnym symulatorze. Druga ma tę samą sieć, tyle samo kroków i to samo ziarno losowości, ale każdy epizod ma własny pręt, szynę, silnik, opóźnienie i czujniki. *Prawdziwy* robot mieści się w zakresach i żadna z polityk nie spotyka go w treningu. Wartości prawdziwego robota wybraliśmy ręcznie. Masa (pręta), tłumienie i siła silnika są krotnościami wartości nominalnych; tarcie suche jest w niutonach, opóźnienie w krokach po 0,02 s, szum czujników w jednostkach tego, co robot obserwuje.

# %%
def cart(n, limit=0.2, **different):
    # en: n carts with latency and sensor noise; what is given differs from the nominal robot.
    # pl: n wózków z opóźnieniem i szumem czujników; podane wartości różnią się od nominalnych.
    env = SensorNoise(Latency(InvertedPendulum(n, limit=limit, threads=2)))
    env.set_physics(**different)
    return env


parameters = {"mass": t("mass", "masa"), "friction": t("friction", "tarcie"), "damping": t("damping", "tłumienie"), "gear": t("motor", "silnik"),
              "latency": t("latency", "opóźnienie"), "sensor_noise": t("sensor noise", "szum czujników")}
record = recorded("sim_to_real")
setting = record.results["pendulum"]
ranges, real = DomainRandomization(**setting["ranges"]), setting["robots"]["A"]
nominal = cart(1).physics
table([(parameters[name], nominal[name].item(), *given, real.get(name, nominal[name].item())) for name, given in ranges.ranges.items()],
      [t("parameter", "parametr"), t("nominal", "nominalnie"), t("lowest", "najmniej"), t("highest", "najwięcej"), t("real robot", "prawdziwy robot")])

# %% tags=["predict"]
guess = Prediction(
    t("In its simulator the nominal policy keeps the pole up nearly to the end, a return of about 240 of 250. What will it reach on the real robot?",
      "W swoim symulatorze polityka nominalna utrzymuje pręt prawie do końca: zwrot około 240 na 250. Ile osiągnie na prawdziwym robocie?"),
    low=0, high=250,
)
guess

# %%
training = {t("nominal", "nominalna"): SimToRealTransfer(cart(64), DomainRandomization()),
            t("randomised", "randomizowana"): SimToRealTransfer(cart(64), ranges)}
for transfer in training.values():
    transfer.train_with_randomization(setting["training_episodes"], seed=SEED, progress=False)
plain, robust = (transfer.policy for transfer in training.values())

# %%
places = {t("simulator", "symulator"): cart(64), t("real robot", "prawdziwy robot"): cart(64, **real)}
reached = {name: [transfer.evaluate(place, seed=SEED + 10_000).mean() for place in places.values()] for name, transfer in training.items()}
(plain_home, plain_real), (robust_home, robust_real) = reached.values()
fig, (curves, bars) = plt.subplots(1, 2, figsize=(10, 3.3))
for i, ((name, transfer), colour) in enumerate(zip(training.items(), ("orange", "blue"))):
    curves.plot(np.array(transfer.curve.steps) / 1000, transfer.curve.returns, color=palette(colour), label=name)
    bars.bar(np.arange(2) + 0.4 * i - 0.2, reached[name], 0.38, color=palette(colour), label=name)
curves.set(xlabel=t("thousand steps of training", "tysiące kroków treningu"), ylabel=t("return"), ylim=(0, 255))
bars.set(ylabel=t("return"), ylim=(0, 255), xticks=[0, 1], xticklabels=list(places))
curves.legend(loc="lower right")
show(fig, alt=t(f"Both policies learn; in the simulator both keep the pole up, on the real robot the nominal one reaches {plain_real:.0f}, the randomised one {robust_real:.0f}.",
                f"Obie polityki się uczą; w symulatorze obie utrzymują pręt, na prawdziwym robocie nominalna osiąga {plain_real:.0f}, a randomizowana {robust_real:.0f}."))
guess.compare(plain_real)

# %% [markdown] lang="en"
# In the simulator you could hardly tell them apart. On the real robot the nominal policy is down after a fraction of a second; the randomised one, which has never seen this robot either, goes on. (Its curve in training is lower and rougher, as every point averages other robots, hopeless ones included.) See both at work on the real robot, the nominal one on the left. Here the episode goes on after the fall; the strips below show the same, at the times written above them.
# %% [markdown] lang="pl"
# W symulatorze trudno byłoby je odróżnić. Na prawdziwym robocie polityka nominalna przewraca pręt po ułamku sekundy; randomizowana, która też nigdy tego robota nie widziała, dalej trzyma pręt w pionie. (Jej krzywa w treningu jest niższa i bardziej poszarpana, bo każdy punkt to średnia po innych robotach, w tym beznadziejnych.) Zobacz obie przy pracy na prawdziwym robocie; nominalna jest po lewej. Na filmie epizod nie kończy się z upadkiem pręta; rzędy klatek pod nim pokazują to samo w chwilach podanych u góry.

# %%
films = [np.stack([np.asarray(frame) for frame in play(policy.act, cart(1, limit=np.pi, **real), seconds=3, seed=SEED)]) for policy in (plain, robust)]
film(np.concatenate(films, 2), alt=t("A film of two carts: the left pole falls over at once, the right one stays upright.",
                                     "Film z dwoma wózkami: lewy pręt od razu się przewraca, prawy stoi."))
strip = np.concatenate([shots[[0, 5, 10, 15, 25, 50]] for shots in films]).transpose(0, 3, 1, 2)
show(image_grid(strip, ["0.0 s", "0.2 s", "0.4 s", "0.6 s", "1.0 s", "2.0 s"] * 2, rows=2, row_names=list(training), size=1.4),
     alt=t("Six moments of each: the nominal pole swings from side to side, wider and wider, and falls, the randomised one stands.",
           "Po sześć chwil: pręt nominalny kołysze się z boku na bok coraz szerzej i upada, randomizowany stoi."))

# %%
def gain(policy, tilt=0.02):
    lean = np.array([[0, tilt, 0, 0]])
    return (policy.act(lean) - policy.act(-lean)).item() / (2 * tilt)


gains_of = {name: gain(transfer.policy) for name, transfer in training.items()}
table([(name, f"{value:.0f}") for name, value in gains_of.items()], [t("policy", "polityka"), t("action per radian of lean", "akcja na radian wychylenia")])

# %% [markdown] lang="en"
# This is what the theory told us to look for: for the same small lean (0.02 rad, about a degree) the nominal policy pushes several times as hard. Without delay that is right. Three steps late each push comes when the pole has already gone by, and drives it further: in the strip it swings wider and wider, as it must when a pair of complex roots lies outside the unit circle. The randomised policy has learned to be gentle, and nobody has told it what a delay is.
#
# ### One difference at a time
#
# The real robot differs in several ways at once. Which of them does it? Back to the nominal robot, and one difference at a time, further than the ranges go. And a second robot joins: a **lifting arm**. One motor has to bring up a load that hangs at the end of an arm, and hold it there. The reward is the height, from 0 (hanging) to 1 (held up), less a little for speed; 150 steps, so the return is less than 150. The nominal load the motor can push straight up. Both policies are trained on both robots with ten seeds; that is recorded. Two of the arm's policies come with the course. First see them lift the load of the *real* arm, more than twice the nominal one; again the nominal policy is on the left.
# %% [markdown] lang="pl"
# Właśnie tego kazała szukać teoria: na to samo małe wychylenie (0,02 rad, około stopnia) polityka nominalna pcha kilka razy mocniej. Bez opóźnienia ma rację. Spóźnione o trzy kroki pchnięcie przychodzi, gdy pręt już jest gdzie indziej, i rozpędza go: na pasku kołysze się coraz szerzej, tak jak musi, gdy para zespolonych pierwiastków leży poza okręgiem jednostkowym. Polityka randomizowana nauczyła się łagodności, a nikt jej nie powiedział, czym jest opóźnienie.
#
# ### Każda różnica z osobna
#
# Prawdziwy robot różni się pod kilkoma względami jednocześnie. Który z nich o tym decyduje? Wróćmy do robota nominalnego i zmieniajmy po jednej rzeczy, i to szerzej, niż sięgają zakresy. Dołącza też drugi robot: **ramię podnoszące ładunek**. Jeden silnik ma unieść ładunek, który wisi na końcu ramienia, i utrzymać go w górze. Nagrodą jest wysokość, od 0 (wisi) do 1 (utrzymany w górze), z niewielką karą za prędkość; kroków jest 150, więc zwrot jest mniejszy niż 150. Nominalny ładunek silnik może po prostu wypchnąć w górę. Dla każdego z dwóch robotów wytrenowaliśmy obie polityki, z dziesięcioma ziarnami losowości; przebiegi są zapisane. Dwie polityki ramienia są dołączone do kursu. Najpierw zobacz, jak podnoszą ładunek *prawdziwego* ramienia, ponad dwa razy cięższy od nominalnego; nominalna znów jest po lewej.

# %% tags=["predict"]
robots, cost = {"pendulum": t("pendulum", "wahadło"), "arm": t("arm", "ramię")}, {"pendulum": {}, "arm": {}}
second = Prediction(t("Which of the real arm's differences, alone, will cost the nominal policy most?", "Która z różnic prawdziwego ramienia będzie, sama jedna, najwięcej kosztować politykę nominalną?"),
                    choices=list(parameters.values()))
second

# %%
steps = t(" (steps)", " (kroki)")
units = {"pendulum": {"friction": " (N)", "latency": steps}, "arm": {"friction": " (N m)", "latency": steps}}
lifter = SensorNoise(Latency(LiftingArm(1)))
lifter.set_physics(**record.results["arm"]["robots"]["A"])
trained = [load_policy(ROOT / "data" / "policies" / f"arm_{kind}.safetensors") for kind in ("nominal", "randomized")]
films = [np.stack([np.asarray(frame) for frame in play(policy.act, lifter, seconds=4, seed=SEED)]) for policy in trained]
film(np.concatenate(films, 2), alt=t("A film of two arms with a heavy load: the left one pushes and stays half-way, the right one swings and brings it up.",
                                     "Film z dwoma ramionami i ciężkim ładunkiem: lewe pcha i staje w pół drogi, prawe buja się i wynosi go w górę."))
fig, axes = plt.subplots(2, 6, figsize=(12, 4.6), sharey="row")
for row, (robot, title) in zip(axes, robots.items()):
    for ax, (name, label) in zip(row, parameters.items()):
        alone = record.results[robot]["alone"][name]
        ax.axvspan(*record.results[robot]["ranges"].get(name) or (nominal[name].item(),) * 2, color=palette("grey"), alpha=0.2)
        for policy, colour in (("nominal", "orange"), ("randomized", "blue")):
            band(ax, alone["values"], alone[policy], t("nominal", "nominalna") if policy == "nominal" else t("randomised", "randomizowana"), colour, marker=".")
        ax.set_xlabel(f"{label}{units[robot].get(name, '')}")
    row[0].set_ylabel(f"{title}: {t('return')}")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
show(fig, alt=t("Return against one changed parameter at a time. Pendulum: only latency breaks the nominal policy. Arm: a heavy load or a weak motor do, the strongest friction and the longest latencies take about half of the return.",
                "Zwrot przy zmianie jednego parametru naraz. Wahadło: politykę nominalną psuje tylko opóźnienie. Ramię: ciężki ładunek albo słaby silnik, a najsilniejsze tarcie i najdłuższe opóźnienia zabierają około połowy zwrotu."))
for robot, name in product(robots, parameters):
    own, sweep = record.results[robot]["robots"]["A"], record.results[robot]["alone"][name]
    mean = np.interp([nominal[name].item(), own.get(name, nominal[name].item())], sweep["values"], np.mean(sweep["nominal"], 0))
    cost[robot][name] = mean[0] - mean[1]
second.compare(list(parameters).index(max(cost["arm"], key=cost["arm"].get)))

# %% [markdown] lang="en"
# Orange: nominal, blue: randomised; means of ten seeds with their 95 % intervals; grey: the ranges (a grey line: not randomised).
#
# - **Pendulum**: four times the mass, half the motor, strong friction: the nominal policy hardly notices. One step of latency it still bears well, two take most of its return, three, six hundredths of a second, nearly all of it. The randomised one bears three, and mostly four; at five, the edge of its range, the pole falls, too. What it pays shows at 20 N of friction, four times what it has met: a gentle push does not get the cart moving.
# - **Arm**: a step or two of latency cost little, three or four half of the return; most is lost to **mass**. A load of twice the mass must first be swung to and fro. The nominal policy pushes straight up, and where the motor cannot do that it stands still half-way and pushes on. A weak motor is the same thing seen from the other side. The randomised one has met such loads, and swings; and that helps it with weak motors, too, which it has never met.
#
# So there is no *worst parameter* as such. For the pendulum timing decides, for the arm strength. Before you choose ranges, find out what decides in your task.
#
# ### How wide?
#
# Now the ranges themselves. Width 0 is the nominal simulator, 1 the ranges that were grey in the figure, 2 twice as wide (for factors, on a logarithmic scale). Each policy has the same number of steps.
# %% [markdown] lang="pl"
# Pomarańczowa: nominalna, niebieska: randomizowana; średnie z dziesięciu ziaren z przedziałami ufności 95 %; szare: zakresy (szara kreska: nie randomizowano).
#
# - **Wahadło**: czterokrotna masa, o połowę słabszy silnik, silne tarcie: polityka nominalna prawie tego nie zauważa. Jeden krok opóźnienia znosi jeszcze dobrze, dwa zabierają większą część zwrotu, trzy, sześć setnych sekundy, prawie cały. Randomizowana znosi trzy, a na ogół i cztery; przy pięciu, na brzegu zakresu, i jej pręt upada. Jaką cenę za to płaci, widać przy tarciu 20 N, cztery razy większym od największego, jakie spotkała w treningu: łagodne pchnięcie nie rusza wózka z miejsca.
# - **Ramię**: krok lub dwa opóźnienia kosztują niewiele, trzy i cztery około połowy zwrotu; najwięcej zabiera **masa**. Ładunek dwa razy cięższy trzeba najpierw rozbujać. Polityka nominalna wypycha ładunek prosto w górę, a gdy silnik temu nie podoła, zatrzymuje się w pół drogi i pcha dalej. Słaby silnik to to samo, tylko widziane z drugiej strony. Randomizowana spotykała takie ładunki i umie je rozbujać; to pomaga jej także przy słabych silnikach, których nigdy nie spotkała.
#
# Nie ma więc parametru, który byłby *najgorszy* zawsze. Przy wahadle liczy się wyczucie czasu, przy ramieniu siła. Zanim wybierzesz zakresy, sprawdź, co się liczy w twoim zadaniu.
#
# ### Jak szeroko?
#
# Teraz same zakresy. Szerokość 0 to symulator nominalny, 1 to zakresy, które na rysunku były szare, 2 to dwa razy szersze (dla krotności: na skali logarytmicznej). Każda polityka ma tyle samo kroków.

# %%
record.note()
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4))
for ax, (robot, title) in zip(axes, robots.items()):
    by_width = record.results[robot]["by_width"]
    band(ax, record.results[robot]["widths"], by_width["A"], t("real robot", "prawdziwy robot"), "blue", marker="o")
    band(ax, record.results[robot]["widths"], by_width["simulator"], t("nominal simulator", "symulator nominalny"), "grey", marker=".")
    ax.set(title=title, xlabel=t("width of the ranges", "szerokość zakresów"), ylabel=t("return"), ylim=(0, 1.04 * record.results[robot]["episode_steps"]))
axes[0].legend(loc="lower right")
show(fig, alt=t("Return against the width of the ranges. Pendulum: from nothing at width 0 to nearly all at 1, then level. Arm: a top from width 1 to 1.5, and a steep fall on both sides.",
                "Zwrot a szerokość zakresów. Wahadło: od zera przy szerokości 0 do prawie wszystkiego przy 1, dalej poziomo. Ramię: wierzchołek przy szerokości od 1 do 1,5 i stromy spadek po obu stronach."))

# %% [markdown] lang="en"
# The arm's curve has the top that we expected. Too narrow misses the real load. Too wide contains loads that the motor can hardly lift at all, and training is spent on them: at width 3 most policies never learn to swing, and on the real arm these are no better than the nominal one. The pendulum is more forgiving: being gentle costs little there, as the reward does not ask how fast a deviation vanishes. Look at its width 0.5, though: these ranges end at two steps of latency, the real robot has three. Now and then a policy holds the pole all the same; most drop it, hence the wide band. Where nothing is promised, luck decides.
#
# ### The alternative: measure the robot
#
# We use ranges because we do not know better. But a few runs of the real robot contain knowledge. **System identification** looks for the physics with which the simulator, given the recorded actions, does what the robot did. With $s_t$ for the recorded states and $s_t(\xi)$ for the simulated ones:
#
# $$\hat\xi = \arg\min_\xi \sum_t \sum_j \frac{\big| s_{t,j}(\xi) - s_{t,j} \big|}{\sigma_j} .$$
#
# ($\sigma_j$ is the spread of the $j$-th observed number, so that metres and radians can be added.) (Noise is not searched for: it shifts a run in no direction.) We take no gradient through this simulator, but many candidates can be simulated at once. The **cross-entropy method** draws candidates from a normal distribution, keeps the best tenth, fits the distribution to these, and repeats. Let the nominal policy drop the real pole eight times, a fraction of a second each, and replay that with 32 candidates at a time:
# %% [markdown] lang="pl"
# Krzywa ramienia ma wierzchołek, którego się spodziewaliśmy. Za wąskie zakresy omijają prawdziwy ładunek. Za szerokie zawierają ładunki, których silnik prawie nie jest w stanie podnieść, i na nie idzie trening: przy szerokości 3 większość polityk w ogóle nie uczy się bujać ładunkiem i na prawdziwym ramieniu nie jest lepsza od nominalnej. Wahadło jest wyrozumialsze: łagodność kosztuje tam niewiele, bo nagroda nie pyta, jak szybko znika odchylenie. Spójrz jednak na szerokość 0,5: te zakresy kończą się na dwóch krokach opóźnienia, a prawdziwy robot ma trzy. Czasem któraś polityka mimo to utrzymuje pręt; większość go przewraca, stąd szerokie pasmo. Gdzie nic nie jest obiecane, decyduje szczęście.
#
# ### Inna droga: zmierz robota
#
# Zakresy bierze się z braku wiedzy. Ale kilka przebiegów prawdziwego robota zawiera wiedzę. **Identyfikacja systemu** szuka takiej fizyki, przy której symulator, dostając zapisane akcje, robi to, co zrobił robot. Niech $s_t$ będą stanami zapisanymi, a $s_t(\xi)$ symulowanymi:
#
# $$\hat\xi = \arg\min_\xi \sum_t \sum_j \frac{\big| s_{t,j}(\xi) - s_{t,j} \big|}{\sigma_j} .$$
#
# ($\sigma_j$ to rozrzut $j$-tej obserwowanej liczby; dzięki niemu można dodawać metry do radianów.) (Szumu nie szukamy: nie przesuwa przebiegu w żadną stronę.) Gradientu przez ten symulator nie liczymy, ale można symulować wielu kandydatów naraz. **Metoda entropii krzyżowej** (ang. *cross-entropy method*) losuje kandydatów z rozkładu normalnego, zachowuje najlepszą dziesiątą część, dopasowuje do niej rozkład i powtarza. Niech polityka nominalna osiem razy przewróci prawdziwy pręt, za każdym razem w ułamku sekundy, a my to odtworzymy z 32 kandydatami naraz:

# %%
observations, actions = record_trajectories(plain.act, cart(8, **real), steps=25, seed=SEED)
searched = DomainRandomization(**setting["searched"])
found = identify(cart(256), searched, observations, actions, rounds=8, seed=SEED, progress=False)
table([(parameters[name], nominal[name].item(), real.get(name, nominal[name].item()), value) for name, value in found.physics.items()],
      [t("parameter", "parametr"), t("nominal", "nominalnie"), t("real robot", "prawdziwy robot"), t("found", "znaleziono")])

# %%
methods = {"nominal": t("nominal", "nominalna"), "randomized": t("randomised", "randomizowana"),
           "identified": t("in the fitted simulator", "w dopasowanym symulatorze"), "on the robot": t("on the real robot itself", "na samym prawdziwym robocie")}
table([(label, *(mean_pm(record.results[robot]["returns"][method][place], 0) for robot in robots for place in ("simulator", "A")))
       for method, label in methods.items()],
      [t("trained", "trening"), *(f"{title}, {place}" for title in robots.values() for place in (t("simulated", "symul."), t("real", "prawdz.")))], caption=t("Return, ten seeds", "Zwrot, dziesięć ziaren losowości"))

# %% [markdown] lang="en"
# The latency is found exactly, the motor nearly; mass and friction less well, since they hardly show in how this pole falls. So it is with identification: **only what matters in the recorded runs shows in them.** If the task asks for other motions, record other motions. (And beware of parameters that work in the same direction: a stronger motor and a lighter pole can stand in for each other.)
#
# The table compares policies that were trained without randomisation in a fitted simulator, and, for comparison, on the real robot itself. For the **pendulum** the fitted simulator is as good as the robot, and steadier than randomisation. For the **arm** look twice. The load was found to within half a percent; and still the fitted simulator, and even the *robot itself*, teach less than the random ranges do. A likely reason: whoever has not yet learned to swing a heavy load earns next to nothing by trying a little. Among the random loads there are light ones, on which lifting is learned first. Then randomisation works as a *curriculum*, too. Identification says where to go, not how to get there. And it needs runs of the robot before there is a policy worth running, and knows only the parameters that the simulator has.
#
# Chebotar et al. 2019 ([arXiv 1810.05687](https://arxiv.org/abs/1810.05687)) combine both, and do more than we do here. They keep a *distribution* of simulators and train a policy on it; let that policy run a few times on the real robot; move the distribution, by a bounded step, towards simulators in which the same policy moves as it did in reality; and begin again. Each round the data come from a better policy. We did one round, with recorded actions, and kept a single simulator.
#
# ## Explore: late and heavy
#
# Both policies of this run, on carts with every combination of latency and mass (all else nominal; the mean of six starts). White frame: what the randomised policy was trained on. Move the sliders. Where is the edge of the nominal policy, and of the randomised one? Does a heavier pole move it?
# %% [markdown] lang="pl"
# Opóźnienie udało się znaleźć dokładnie, siłę silnika prawie dokładnie; masa i tarcie gorzej, bo prawie ich nie widać w tym, jak ten pręt pada. Tak jest z identyfikacją: **w przebiegach widać tylko to, co się w nich liczy.** Jeśli zadanie wymaga innych ruchów, zapisz inne ruchy. (I uważaj na parametry, które działają w tę samą stronę: mocniejszy silnik i lżejszy pręt mogą się wzajemnie zastępować.)
#
# Tabela porównuje polityki trenowane bez randomizacji w dopasowanym symulatorze oraz, dla porównania, na samym prawdziwym robocie. W przypadku **wahadła** dopasowany symulator jest tak dobry jak robot i pewniejszy niż randomizacja. Przy **ramieniu** przyjrzyj się dokładniej. Ładunek został znaleziony z dokładnością do pół procenta, a jednak dopasowany symulator, a nawet *sam robot*, uczą gorzej niż losowe zakresy. Prawdopodobny powód: kto jeszcze nie umie rozbujać ciężkiego ładunku, prawie nic nie zyska małymi próbami. Wśród losowych ładunków są lekkie, na których najpierw można nauczyć się podnosić. Randomizacja działa wtedy także jak *stopniowanie trudności* (ang. *curriculum*). Identyfikacja mówi, dokąd iść, ale nie mówi, jak tam dojść. Wymaga też przebiegów robota, zanim jest polityka, którą warto uruchomić, i zna tylko te parametry, które ma symulator.
#
# Chebotar i in. 2019 ([arXiv 1810.05687](https://arxiv.org/abs/1810.05687)) łączą jedno z drugim i robią więcej niż my. Utrzymują *rozkład* symulatorów i trenują na nim politykę; uruchamiają ją kilka razy na prawdziwym robocie; przesuwają rozkład, o ograniczony krok, ku symulatorom, w których ta sama polityka porusza się tak jak w rzeczywistości; i zaczynają od nowa. Z każdą rundą dane pochodzą od lepszej polityki. My zrobiliśmy jedną rundę, na zapisanych akcjach, i zostawiliśmy jeden symulator.
#
# ## Zbadaj: późno i ciężko
#
# Obie polityki z tego uruchomienia na wózkach dla każdej pary opóźnienia i masy (reszta nominalna; średnia z sześciu startów). Biała ramka: to, na czym trenowała polityka randomizowana. Przesuwaj suwaki. Gdzie leży granica polityki nominalnej, a gdzie randomizowanej? Czy cięższy pręt ją przesuwa?

# %%
latencies, masses = list(range(9)), [0.25, 0.5, 1.0, 2.0, 4.0]
late, heavy, _ = (values.ravel() for values in np.meshgrid(latencies, masses, range(6), indexing="ij"))


def landscape(policy):
    returns = evaluate_policy(policy.act, cart(len(late), latency=late, mass=heavy), len(late), seed=SEED)
    return returns.reshape(len(latencies), len(masses), -1).mean(2)


land = {name: landscape(transfer.policy) for name, transfer in training.items()}
land_robust = land[t("randomised", "randomizowana")]


# %% tags=["widget"]
def draw(latency, mass):
    i, j = latencies.index(latency), masses.index(mass)
    fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
    for ax, (name, values) in zip(axes, land.items()):
        image = ax.imshow(values.T, vmin=0, vmax=250, origin="lower", aspect="auto")
        ax.plot(i, j, "o", color=palette("red"), markersize=12)
        ax.add_patch(plt.Rectangle((-0.5, 0.5), 1 + ranges.latency[1], 3, fill=False, linewidth=2.5, edgecolor="white"))
        ax.set(title=f"{name}: {values[i, j]:.0f}", xlabel=t("latency in steps", "opóźnienie w krokach"), xticks=range(len(latencies)), yticks=range(len(masses)), yticklabels=masses)
        ax.grid(False)
    axes[0].set_ylabel(t("mass of the pole", "masa pręta"))
    fig.colorbar(image, ax=axes, label=t("return"))
    left, right = (values[i, j] for values in land.values())
    return fig, t(f"Latency {latency}, mass {mass}: the nominal policy returns {left:.0f}, the randomised one {right:.0f}.",
                  f"Opóźnienie {latency}, masa {mass}: zwrot polityki nominalnej {left:.0f}, randomizowanej {right:.0f}.")


explorer = explore(draw, latency=latencies, mass=masses, labels={"latency": t("latency in steps", "opóźnienie w krokach"), "mass": t("mass", "masa")})
explorer.controls["latency"].value, explorer.controls["mass"].value = 3, 1.0
explorer

# %%
drawn = ranges.sample(384, np.random.default_rng(SEED))
each = evaluate_policy(robust.act, cart(384, **drawn), 384, seed=SEED)
missing, rows = 250 - each.mean(), []
for delay in range(ranges.latency[1] + 1):
    these = drawn["latency"] == delay
    rows.append((delay, f"{each[these].mean():.0f}", f"{250 - missing / these.mean():.0f}"))
table(rows, [t("latency", "opóźnienie"), t("mean return", "średni zwrot"), t("bound: at least", "oszacowanie: co najmniej")],
      caption=t(f"The randomised policy on 384 robots from the ranges; {missing:.0f} points are missing on average",
                f"Polityka randomizowana na 384 robotach z zakresów; średnio brakuje {missing:.0f} punktów"))

# %% [markdown] lang="en"
# That is the bound of the beginning (it holds for the return without discount, too, with $J_{\max} = 250$): $\xi$ is the latency here, all else is averaged, and the last column is $J_{\max} - \Delta / p(\xi)$. No row can be below it; that is arithmetic. But it is weak: with six latencies it must allow that all that is missing sits in one row, so it promises little, perhaps not even a positive return. It promises much only where $\Delta$ is small against $p(\xi_{\text{real}})$. So do not rely on the average: look at the rows one by one, those at the edge of the ranges first. (A heavier pole, by the way, hardly moves the edge in the map: it hardly falls faster, and $a$ is all that the formula knows.)
#
# ## The visual side
#
# Randomisation became widely known through pictures. Sadeghi and Levine 2016 ([arXiv 1611.04201](https://arxiv.org/abs/1611.04201)) trained a drone to avoid collisions on rendered rooms with random textures and light, and flew it through real buildings; Tobin et al. trained a network on rendered tables in colours that no table has, and it located real objects to 1.5 cm. Neither had seen a real image of its task in training.
#
# We do the same with the circuit boards of lesson 01. Their simulator is the program that draws them; its light and camera are set by `Conditions`. 240 boards for training, drawn twice: under the clean, white light that the simulator's author had in mind, and each in a light of its own. The **workshop** is where the classifier has to work: dim, yellowish, uneven, with glare. No training picture was taken in this light, but it lies within the random ranges.
# %% [markdown] lang="pl"
# To oszacowanie z początku lekcji (dla zwrotu bez dyskonta też jest prawdziwe, z $J_{\max} = 250$): $\xi$ to tutaj opóźnienie, reszta jest uśredniona, a ostatnia kolumna to $J_{\max} - \Delta / p(\xi)$. Żaden wiersz nie może leżeć poniżej; to czysta arytmetyka. Ale oszacowanie jest słabe: przy sześciu opóźnieniach musi dopuścić, że wszystko, czego brakuje, siedzi w jednym wierszu, więc obiecuje niewiele, być może nawet nie dodatni zwrot. Dużo obiecuje tylko wtedy, gdy $\Delta$ jest małe wobec $p(\xi_{\text{rzecz.}})$. Nie polegaj więc na średniej: obejrzyj wiersze po kolei, zaczynając od brzegu zakresów. (Cięższy pręt prawie nie przesuwa zresztą granicy na mapie: prawie nie pada szybciej, a wzór zna tylko $a$.)
#
# ## Strona wizualna
#
# Randomizacja stała się znana dzięki obrazom. Sadeghi i Levine 2016 ([arXiv 1611.04201](https://arxiv.org/abs/1611.04201)) nauczyli drona unikać zderzeń w wyrenderowanych pokojach o losowych teksturach i losowym świetle i przelecieli nim przez prawdziwe wnętrza; Tobin i in. wytrenowali sieć na wyrenderowanych stołach w barwach, jakich żaden stół nie ma, a sieć ta lokalizowała potem prawdziwe przedmioty z dokładnością do 1,5 cm. Żadna z tych sieci nie widziała w treningu prawdziwego obrazu swojego zadania.
#
# Zrobimy to samo z płytkami drukowanymi z lekcji 01. Ich symulatorem jest program, który je rysuje; światło i kamerę ustawia `Conditions`. Do treningu mamy 240 płytek, narysowanych dwa razy: w czystym, białym świetle, o jakim myślał autor symulatora, oraz każdą w jej własnym świetle. **Warsztat** to miejsce, w którym klasyfikator ma pracować: światło jest słabe, żółtawe, nierówne, z odblaskami. Żadnego obrazu treningowego w nim nie zrobiono, ale mieści się ono w losowych zakresach.

# %%
def light(brightness, tint, unevenness, glare, blur, noise):
    return Conditions((GREEN,), brightness, tint, unevenness, glare, blur=blur, noise=noise)


lights = {
    t("nominal", "nominalne"): light((1, 1), ((1, 1),) * 3, (0, 0), (0, 0), (0.2, 0.2), (2, 2)),
    t("random", "losowe"): light((0.4, 1.4), ((0.6, 1.4),) * 3, (0, 0.8), (0, 80), (0.1, 0.8), (0, 12)),
    t("workshop", "warsztat"): light((0.5, 0.6), ((1.15, 1.25), (0.9, 1), (0.6, 0.7)), (0.5, 0.7), (30, 70), (0.3, 0.5), (7, 9)),
    t("night", "noc"): light((0.15, 0.25), ((0.7, 0.8), (0.9, 1), (1.15, 1.25)), (0.5, 0.7), (30, 70), (0.3, 0.5), (7, 9)),
}
in_training, at_test = list(lights)[:2], [name for name in lights if name != t("random", "losowe")]
train_boards = {name: make_boards(240, seed=2 * SEED, conditions=lights[name]) for name in in_training}
test_boards = {name: make_boards(200, seed=2 * SEED + 1, conditions=lights[name]) for name in at_test}
samples = torch.cat([(train_boards | test_boards)[name][0][:8] for name in lights])
show(image_grid(samples, rows=4, row_names=list(lights)), alt=t(
    "Eight boards in each light: clean green ones; the same in many tints and brightnesses; dim yellowish ones; nearly black ones.",
    "Po osiem płytek w każdym świetle: czyste, zielone; te same w wielu odcieniach i jasnościach; ciemne, żółtawe; prawie czarne."))

# %%
later = Prediction(
    t("A linear probe on frozen features, trained once on the nominal and once on the random pictures. In the workshop, by how many points will the second one be ahead? (Negative: behind.)",
      "Sonda liniowa (ang. *linear probe*) na zamrożonych cechach, raz trenowana na obrazach nominalnych, raz na losowych. O ile punktów procentowych ta druga będzie w warsztacie lepsza? (Liczba ujemna: gorsza.)"),
    low=-10, high=50, unit=t("points", "pkt proc."),
)
later

# %%
groups = load_backbone().groups


def features(images):
    # en: Means over the maps of blocks 3, 4 and 5: fine detail, much of which the last layers have given up.
    # pl: Średnie z map bloków 3, 4 i 5: drobne szczegóły, z których ostatnie warstwy w dużej mierze zrezygnowały.
    maps = [predict(groups[:4], images)]
    for block in groups[4:6]:
        maps.append(predict(block, maps[-1]))
    return torch.cat([m.mean((2, 3)) for m in maps], 1)


tested = {name: (features(x), y) for name, (x, y) in test_boards.items()}
seen = {}
for name, (x, y) in train_boards.items():
    probe = linear_probe(features(x), y)
    seen[name] = {place: evaluate(probe, data)["accuracy"] for place, data in tested.items()}
table([(name, *found.values()) for name, found in seen.items()], [t("trained in this light", "trening w świetle"), *at_test],
      caption=t("Test accuracy in three lights", "Dokładność testowa w trzech światłach"))
(clean_home, clean_shop, clean_night), (varied_home, varied_shop, varied_night) = (list(found.values()) for found in seen.values())
later.compare(100 * (varied_shop - clean_shop))

# %% [markdown] lang="en"
# Same boards, same number of pictures, same network; only the light in training differs. At home, in the nominal light, the random one costs a few points: the probe has to give up whatever depends on brightness and tint, and some of that was useful there. In the workshop it gains far more. (The backbone has seen photographs in all sorts of light, and still does not save the nominal probe. Features do change with the light, and a probe believes what it has seen.) And at **night**, darker than the ranges, the random one, too, loses much of what it had. It is still ahead of the nominal one, but nobody promised that, and nobody should build on it.
#
# ## When it fails
#
# **Reality outside the ranges.** You have seen it twice: in the map above the randomised policy is good within the frame, but for its edge, and beyond it falls like the other; at night the randomised probe lost a good part of what it had gained. The bound said so: where $p(\xi_{\text{real}}) = 0$, nothing is promised. It is the most dangerous failure, for within the simulators everything looks perfect.
#
# **Ranges too wide.** The curve of the arm has shown it.
#
# **What nobody has modelled.** A bent rail, a loose screw, a cable that pulls: no range contains it. Everything that this lesson has called *real* differs from the simulator only in numbers that the simulator has. Randomised forces and noise help a little, as they stand for anything; but only a test on the robot tells.
#
# ## In robotics
#
# Tan et al. 2018 ([arXiv 1804.10332](https://arxiv.org/abs/1804.10332)) taught a four-legged robot, Minitaur, to trot and to gallop in a simulator, and the real one did. Read their recipe with this lesson in mind. *First* they made the simulator better: they measured the robot, that is, system identification; they built a more accurate model of its motors; and they **simulated the latency**. *Then* they randomised physics and gave the robot random pushes, and let the policy see only a small part of the state: what it does not see it cannot lean on. Identify what you can measure, randomise the rest.
#
# Randomisation can also be wide and the policy still good, if the policy has **memory**. Ours sees only the present, so all it can do is be gentle. From the last second one could tell how late the robot answers, and act accordingly: not robust but *adaptive*. Peng et al. 2018 ([arXiv 1710.06537](https://arxiv.org/abs/1710.06537)) trained a recurrent network with randomised dynamics to push an object with a real arm. OpenAI 2019 ([arXiv 1910.07113](https://arxiv.org/abs/1910.07113)) went on: their *automatic domain randomization* widens a range whenever the policy masters its edge, so that nobody has to guess the width. A robot hand trained only in simulation turned a Rubik's cube through the moves that a solver had computed: of ten trials six got half-way, two to the end.
# %% [markdown] lang="pl"
# Te same płytki, tyle samo obrazów, ta sama sieć; różni się tylko światło w treningu. U siebie, czyli w świetle nominalnym, losowe światło kosztuje kilka punktów: sonda musi zrezygnować ze wszystkiego, co zależy od jasności i odcienia, a część z tego była tam użyteczna. W warsztacie zyskuje o wiele więcej. (Sieć bazowa, ang. *backbone*, widziała fotografie w najróżniejszym świetle, a jednak nie ratuje nominalnej sondy. Cechy zmieniają się wraz ze światłem, a sonda wierzy w to, co widziała.) Za to **nocą**, ciemniejszą niż zakresy, także ta losowa traci dużą część tego, co miała. Nadal wyprzedza nominalną, ale tego nikt nie obiecał i nikt nie powinien na tym budować.
#
# ## Kiedy to zawodzi
#
# **Rzeczywistość poza zakresami.** Już dwa razy to widzieliśmy: na mapie powyżej polityka randomizowana jest dobra w ramce, z wyjątkiem jej brzegu, a poza nią zawodzi tak samo jak nominalna; nocą randomizowana sonda straciła sporą część tego, co zyskała. Oszacowanie to zapowiadało: gdzie $p(\xi_{\text{rzecz.}}) = 0$, tam nic nie jest obiecane. To najgroźniejsza z porażek, bo wewnątrz symulatorów wszystko wygląda doskonale.
#
# **Zbyt szerokie zakresy.** Pokazała to krzywa ramienia.
#
# **To, czego nikt nie zamodelował.** Krzywa szyna, luźna śruba, kabel, który ciągnie: nie zawiera ich żaden zakres. Wszystko, co ta lekcja nazywała *prawdziwym*, różni się od symulatora tylko liczbami, które symulator ma. Losowe siły i szum trochę pomagają, bo po trosze zastępują wszystko, czego nie znamy; ale rozstrzyga dopiero próba na robocie.
#
# ## W robotyce
#
# Tan i in. 2018 ([arXiv 1804.10332](https://arxiv.org/abs/1804.10332)) nauczyli czworonożnego robota Minitaur kłusować i galopować w symulatorze, a prawdziwy robot to powtórzył. Przeczytaj ich przepis, mając w pamięci tę lekcję. *Najpierw* poprawili symulator: zmierzyli robota, czyli zrobili identyfikację systemu; zbudowali dokładniejszy model silników; i **symulowali opóźnienie**. *Potem* losowo zmieniali fizykę i popychali robota w losowych chwilach, a polityce pokazywali tylko małą część stanu: na tym, czego nie widzi, nie może polegać. Zidentyfikuj to, co możesz zmierzyć, resztę randomizuj.
#
# Zakresy mogą być szerokie, a polityka mimo to dobra, jeśli ma ona **pamięć**. Nasza widzi tylko chwilę obecną, więc może być najwyżej łagodna. Z ostatniej sekundy dałoby się odczytać, z jakim opóźnieniem robot odpowiada, i działać stosownie do tego: nie odpornie, lecz *adaptacyjnie*. Peng i in. 2018 ([arXiv 1710.06537](https://arxiv.org/abs/1710.06537)) nauczyli sieć rekurencyjną, przy losowo zmienianej dynamice, przesuwać przedmiot prawdziwym ramieniem. OpenAI 2019 ([arXiv 1910.07113](https://arxiv.org/abs/1910.07113)) poszło dalej: ich *automatyczna randomizacja domeny* (ang. *automatic domain randomization*) poszerza zakres, gdy tylko polityka opanuje jego brzeg, więc nikt nie musi zgadywać szerokości. Ręka robota trenowana tylko w symulacji wykonywała na kostce Rubika ruchy obliczone przez program: z dziesięciu prób sześć doszło do połowy, dwie do końca.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. Delay.** `actions` (T, N) are what the policy orders in T steps for N robots, `steps` (N,) their latencies, whole numbers from 0 to T. Return what reaches their motors, (T, N): robot $i$ gets in step $t$ the action of step $t - d_i$, and 0 while nothing has arrived.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Opóźnij.** `actions` (T, N) to akcje, które polityka zleca w T krokach N robotom, `steps` (N,) to ich opóźnienia, liczby całkowite od 0 do T. Zwróć to, co dociera do silników, (T, N): robot $i$ dostaje w kroku $t$ akcję z kroku $t - d_i$, a dopóki nic nie dotarło, 0.

# %% tags=["exercise"]
def delayed(actions, steps):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Begin with `torch.zeros_like(actions)` and fill it robot by robot: from row $d_i$ on stand the first $T - d_i$ actions.
# %% [markdown] lang="pl" tags=["hint"]
# Zacznij od `torch.zeros_like(actions)` i wypełniaj robot po robocie: w jego kolumnie od wiersza $d_i$ w dół stoi pierwszych $T - d_i$ akcji.

# %% tags=["check"]
check("delayed", delayed)


# %% tags=["solution"]
def delayed(actions, steps):
    arrived = torch.zeros_like(actions)
    for i, d in enumerate(steps.tolist()):
        arrived[d:, i] = actions[: len(actions) - d, i]
    return arrived


# %% [markdown] lang="en"
# **2. PPO's loss.** Return $L$ for a batch: `ratio` (B,) holds $\varrho$, `advantage` (B,) holds $A$, `epsilon` is a number.
# %% [markdown] lang="pl"
# **2. Strata PPO.** Zwróć $L$ dla paczki (ang. *batch*): `ratio` (B,) zawiera $\varrho$, `advantage` (B,) zawiera $A$, `epsilon` jest liczbą.

# %% tags=["exercise"]
def ppo_loss(ratio, advantage, epsilon):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Two products, one with `ratio.clamp(…)`; `torch.minimum` compares them element by element; the mean; and the sign, for a loss is to fall.
# %% [markdown] lang="pl" tags=["hint"]
# Dwa iloczyny, jeden z `ratio.clamp(…)`; `torch.minimum` porównuje je element po elemencie; średnia; i znak, bo strata ma maleć.

# %% tags=["check"]
check("ppo_loss", ppo_loss)


# %% tags=["solution"]
def ppo_loss(ratio, advantage, epsilon):
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    return -torch.minimum(ratio * advantage, clipped * advantage).mean()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Why does the randomised policy hold the pole on the real robot?", "Dlaczego polityka randomizowana utrzymuje pręt na prawdziwym robocie?"),
        [
            (t("It measures the delay and adapts to it.", "Mierzy opóźnienie i się do niego dostosowuje."), False,
             t("It has no memory: one observation does not tell how old it is.", "Nie ma pamięci: po jednej obserwacji nie widać, jak jest stara.")),
            (t("It is gentle enough for nearly all robots in the ranges, and the real one is well inside them.", "Jest na tyle łagodna, że radzi sobie z prawie każdym robotem z zakresów, a prawdziwy leży wewnątrz nich."), True,
             t("Yes: robust, not adaptive.", "Tak: jest odporna, a nie adaptacyjna.")),
            (t("It was trained longer.", "Była trenowana dłużej."), False,
             t("Both policies had the same number of steps.", "Obie polityki miały tyle samo kroków.")),
        ],
    ),
    Quiz(
        t("A robot's deviation grows by $a = 1.2$ a step. Up to which delay can some gain $\\kappa$ still hold it?",
          "Odchylenie robota rośnie w każdym kroku $a = 1{,}2$ razy. Przy jakim największym opóźnieniu opanuje je jeszcze jakieś wzmocnienie $\\kappa$?"),
        [
            (t("4 steps", "4 kroki"), True, t("Yes: $d < 1/(a-1) = 5$.", "Tak: $d < 1/(a-1) = 5$.")),
            (t("5 steps", "5 kroków"), False, t("At $d = 5$ the two ends of the stable range have just met.", "Przy $d = 5$ oba końce stabilnego przedziału właśnie się spotkały.")),
            (t("any, if the gain is high enough", "przy każdym, byle wzmocnienie było dość duże"), False,
             t("With a delay, more gain is what breaks it.", "Z opóźnieniem szkodzi właśnie większe wzmocnienie.")),
        ],
    ),
    Quiz(
        t("The ranges contain latencies 0 to 4; the real robot has 8. What does the theory promise?", "Zakresy obejmują opóźnienia od 0 do 4; prawdziwy robot ma 8. Co obiecuje teoria?"),
        [
            (t("A return almost as high as in training.", "Zwrot prawie tak wysoki jak w treningu."), False,
             t("Only if 8 had a share in the training.", "Tylko gdyby 8 miało swój udział w treningu.")),
            (t("That the pole falls.", "Że pręt upadnie."), False,
             t("It does not promise that either; the bound just says nothing.", "Tego też nie obiecuje; oszacowanie po prostu milczy.")),
            (t("Nothing.", "Nic."), True,
             t("Yes: $p(\\xi_{\\text{real}}) = 0$, and one must measure.", "Tak: $p(\\xi_{\\text{rzecz.}}) = 0$, trzeba zmierzyć.")),
        ],
    ),
    Quiz(
        t("You may run the real robot for ten seconds before training. When is system identification better than wide ranges?",
          "Przed treningiem wolno ci uruchomić prawdziwego robota na dziesięć sekund. Kiedy lepiej przeznaczyć je na identyfikację systemu, niż zdać się na szerokie zakresy?"),
        [
            (t("Always: a measured robot is a known robot.", "Zawsze: zmierzony robot to robot znany."), False,
             t("What the simulator has no parameter for cannot be fitted, and it may hide in the others.", "Tego, na co symulator nie ma parametru, nie da się dopasować, a może się to ukryć w innych.")),
            (t("When the differences are ones that the simulator has parameters for, and show in the recorded runs.", "Gdy różnice są takie, na jakie symulator ma parametry, i widać je w zapisanych przebiegach."), True,
             t("Yes; and what remains uncertain can be randomised in narrow ranges around what was found.", "Tak; a to, co pozostaje niepewne, można randomizować w wąskich zakresach wokół znalezionych wartości.")),
            (t("Never: randomisation needs no data.", "Nigdy: randomizacja nie wymaga danych."), False,
             t("It needs ranges, and too wide ones cost return.", "Wymaga zakresów, a zbyt szerokie kosztują zwrot.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - In the simulator both policies keep the pole up; on the real robot, with three steps of latency, the nominal one drops it at once and the randomised one does not.
# - A delay shrinks the room for gains, and at $d = 1/(a-1)$ nothing is left of it. The nominal policy's gain is several times that of the randomised one.
# - Which difference hurts depends on the task: latency the pendulum, mass the arm. And for the arm there is a best width: half of it misses the real load, three times as wide spoils the training.
# - A fitted simulator needs a few runs of the robot. For the pendulum it is as good as the robot itself; the arm learns better from random loads than from the one that it has to lift.
# - With pictures it is the same: random light costs little at home and gains much in a light never seen, as long as that lies within the ranges. Outside, nothing is promised.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - W symulatorze obie polityki utrzymują pręt; na prawdziwym robocie, z trzema krokami opóźnienia, nominalna od razu go przewraca, a randomizowana nie.
# - Opóźnienie zmniejsza zapas wzmocnienia, a przy $d = 1/(a-1)$ nic z niego nie zostaje. Wzmocnienie polityki nominalnej jest kilka razy większe niż randomizowanej.
# - Która różnica szkodzi, zależy od zadania: wahadłu opóźnienie, ramieniu masa. A krzywa szerokości ma dla ramienia wierzchołek: połowa omija prawdziwy ładunek, potrójna psuje trening.
# - Dopasowany symulator wymaga kilku przebiegów robota. Dla wahadła jest tak dobry jak sam robot; ramię uczy się lepiej na losowych ładunkach niż na tym, który ma podnieść.
# - Z obrazami jest tak samo: losowe światło niewiele kosztuje u siebie i wiele daje w świetle nigdy niewidzianym, o ile mieści się ono w zakresach. Poza nimi nic nie jest obiecane.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
points, room = t("points", "pkt proc."), [np.divide(*gains[radii[d] < 1][[-1, 0]]) for d in range(4)]
claim(t("Largest over smallest stable gain without delay", "Największe wobec najmniejszego stabilnego wzmocnienia, bez opóźnienia"), room[0], at_least=15, unit="×")
claim(t("The same at three steps of latency", "To samo przy trzech krokach opóźnienia"), room[3], at_most=6, unit="×")
claim(t("Return of the nominal policy in the simulator", "Zwrot polityki nominalnej w symulatorze"), plain_home, at_least=120)
claim(t("Return of the nominal policy on the real robot", "Zwrot polityki nominalnej na prawdziwym robocie"), plain_real, at_most=50)
claim(t("Return of the randomised policy on the real robot", "Zwrot polityki randomizowanej na prawdziwym robocie"), robust_real, at_least=120)
claim(t("Gain of the nominal policy over that of the randomised one", "Wzmocnienie polityki nominalnej wobec randomizowanej"), np.divide(*gains_of.values()), at_least=2, unit="×")
claim(t("Error in the latency found by system identification", "Błąd opóźnienia znalezionego przez identyfikację systemu"), abs(found.physics["latency"] - real["latency"]), at_most=0)
claim(t("Return of the randomised policy two and three steps beyond its latencies", "Zwrot polityki randomizowanej dwa i trzy kroki poza jej opóźnieniami"), land_robust[7:].mean(), at_most=100)
claim(t("Random light over nominal light, in the workshop", "Przewaga światła losowego nad nominalnym w warsztacie"), 100 * (varied_shop - clean_shop), at_least=8, unit=points)
claim(t("What random light costs at home", "Ile światło losowe kosztuje u siebie"), 100 * (clean_home - varied_home), at_most=15, unit=points)
claim(t("What the probe trained in random light loses from workshop to night", "Ile sonda trenowana w świetle losowym traci między warsztatem a nocą"), 100 * (varied_shop - varied_night), at_least=5, unit=points)
pole, load = (record.results[robot] for robot in robots)
recorded_mean = {robot: {method: np.mean(returns["A"]) for method, returns in record.results[robot]["returns"].items()} for robot in robots}
claim(t("Pendulum: randomised over nominal on the real robot, the worst recorded seed", "Wahadło: przewaga randomizowanej nad nominalną na prawdziwym robocie, najgorsze zapisane ziarno"), np.subtract(pole["returns"]["randomized"]["A"], pole["returns"]["nominal"]["A"]).min(), at_least=100)
claim(t("Arm: randomised over nominal on the real robot, the worst recorded seed", "Ramię: przewaga randomizowanej nad nominalną na prawdziwym robocie, najgorsze zapisane ziarno"), np.subtract(load["returns"]["randomized"]["A"], load["returns"]["nominal"]["A"]).min(), at_least=30)
claim(t("Pendulum: what the real robot's latency alone costs the nominal policy, over what the next worst costs", "Wahadło: o ile więcej kosztuje politykę nominalną samo opóźnienie prawdziwego robota niż następna różnica"), cost["pendulum"]["latency"] - max(value for name, value in cost["pendulum"].items() if name != "latency"), at_least=150)
claim(t("Arm: what the real robot's mass alone costs, over what the next worst costs", "Ramię: o ile więcej kosztuje sama masa prawdziwego robota niż następna różnica"), cost["arm"]["mass"] - max(value for name, value in cost["arm"].items() if name != "mass"), at_least=60)
width = dict(zip(load["widths"], np.mean(load["by_width"]["A"], 0)))
claim(t("Arm: width 1 over width 0.5 on the real robot, recorded mean", "Ramię: przewaga szerokości 1 nad 0.5 na prawdziwym robocie, zapisana średnia"), width[1] - width[0.5], at_least=30)
claim(t("Arm: width 1 over width 3 on the real robot, recorded mean", "Ramię: przewaga szerokości 1 nad 3 na prawdziwym robocie, zapisana średnia"), width[1] - width[3], at_least=30)
claim(t("Pendulum: fitted simulator below the robot itself, recorded mean", "Wahadło: o ile dopasowany symulator ustępuje samemu robotowi, zapisana średnia"), recorded_mean["pendulum"]["on the robot"] - recorded_mean["pendulum"]["identified"], at_most=25)
claim(t("Arm: error in the fitted mass, the worst recorded seed", "Ramię: błąd dopasowanej masy, najgorsze zapisane ziarno"), 100 * np.abs(np.divide(load["found"]["mass"], load["robots"]["A"]["mass"]) - 1).max(), at_most=1, unit="%")
claim(t("Arm: random loads over the robot itself, recorded mean", "Ramię: przewaga losowych ładunków nad treningiem na samym robocie, zapisana średnia"), recorded_mean["arm"]["randomized"] - recorded_mean["arm"]["on the robot"], at_least=10)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Tobin et al. 2017, *Domain Randomization for Transferring Deep Neural Networks from Simulation to the Real World*, [arXiv 1703.06907](https://arxiv.org/abs/1703.06907)
# - Peng et al. 2018, *Sim-to-Real Transfer of Robotic Control with Dynamics Randomization*, [arXiv 1710.06537](https://arxiv.org/abs/1710.06537)
# - Tan et al. 2018, *Sim-to-Real: Learning Agile Locomotion For Quadruped Robots*, [arXiv 1804.10332](https://arxiv.org/abs/1804.10332)
# - Chebotar et al. 2019, *Closing the Sim-to-Real Loop: Adapting Simulation Randomization with Real World Experience*, [arXiv 1810.05687](https://arxiv.org/abs/1810.05687)
# - OpenAI 2019, *Solving Rubik's Cube with a Robot Hand*, [arXiv 1910.07113](https://arxiv.org/abs/1910.07113)
#
# Randomisation uses no data of the target at all. If you can get unlabelled data of the target, use domain adaptation: [lesson 06](06_domain_adaptation.ipynb).
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Tobin i in. 2017, *Domain Randomization for Transferring Deep Neural Networks from Simulation to the Real World*, [arXiv 1703.06907](https://arxiv.org/abs/1703.06907)
# - Peng i in. 2018, *Sim-to-Real Transfer of Robotic Control with Dynamics Randomization*, [arXiv 1710.06537](https://arxiv.org/abs/1710.06537)
# - Tan i in. 2018, *Sim-to-Real: Learning Agile Locomotion For Quadruped Robots*, [arXiv 1804.10332](https://arxiv.org/abs/1804.10332)
# - Chebotar i in. 2019, *Closing the Sim-to-Real Loop: Adapting Simulation Randomization with Real World Experience*, [arXiv 1810.05687](https://arxiv.org/abs/1810.05687)
# - OpenAI 2019, *Solving Rubik's Cube with a Robot Hand*, [arXiv 1910.07113](https://arxiv.org/abs/1910.07113)
#
# Randomizacja nie używa żadnych danych docelowych. Jeśli da się zdobyć dane docelowe bez etykiet, użyj adaptacji domeny: [lekcja 06](06_domain_adaptation.ipynb).
